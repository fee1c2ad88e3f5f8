//! Guesses which elements of a file are its records.

use std::collections::HashMap;

use super::scan::{self, Markup, is_white_space};

/// An element's children of one name.
struct Children<'a> {
    name: &'a [u8],
    depth: usize,
    count: usize,
}

/// The name of the elements that are the records of a file that begins with `head`; nothing if it is
/// no XML. That is the name that one element's children have most often, as near to the root as
/// children repeat at all; where none do, the name of the root's first child, or the root's own.
pub(crate) fn row_tag(head: &[u8]) -> Option<String> {
    let found = children(head)?;
    let repeated = found.iter().filter(|children| children.count > 1);
    let depth = repeated.map(|children| children.depth).min();
    let most = match depth {
        Some(depth) => found
            .iter()
            .filter(|children| children.depth == depth)
            .rev()
            .max_by_key(|children| children.count),
        None => found.iter().find(|children| children.depth == 1).or(found.first()),
    };
    most.map(|children| String::from_utf8_lossy(children.name).into_owned())
}

/// All elements, counted by parent and name, in the order of their first; nothing if something else
/// is where the root should be.
fn children(head: &[u8]) -> Option<Vec<Children<'_>>> {
    let mut found: Vec<Children<'_>> = Vec::new();
    let mut known = HashMap::new();
    // Open elements are numbered, so that those of one name are told apart.
    let mut open: Vec<usize> = Vec::new();
    let mut elements = 0;
    let mut at = 0;
    while let Some(length) = memchr::memchr(b'<', &head[at..]) {
        if elements == 0 && !head[at..at + length].iter().all(is_white_space) {
            return None;
        }
        let Some((markup, end)) = scan::markup(head, at + length) else {
            break;
        };
        at = end;
        match markup {
            Markup::Start { name, empty } => {
                let (name, depth) = (&head[name], open.len());
                let index = *known.entry((open.last().copied(), name)).or_insert(found.len());
                match found.get_mut(index) {
                    Some(children) => children.count += 1,
                    None => found.push(Children { name, depth, count: 1 }),
                }
                if !empty {
                    open.push(elements);
                }
                elements += 1;
            }
            Markup::End { .. } => drop(open.pop()),
            Markup::Broken { .. } if elements == 0 => return None,
            _ => {}
        }
    }
    (elements > 0).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(head: &str) -> Option<String> {
        row_tag(head.as_bytes())
    }

    #[test]
    fn the_roots_most_frequent_children_are_the_records() {
        for head in [
            "<?xml version=\"1.0\"?>\n<!DOCTYPE all [<!ELEMENT x (y)>]>\n<all><row a='1'/><row><a/>",
            "<all><meta/><row><x/><x/><x/></row><row/></all>",
            "<all><other/><row/><other2/><row/><row/><other/></all>",
            "<all><row/><late/><late/><row/></all>",
            "<all><!-- <c/><c/><c/> --><![CDATA[<c/>]]><row/><row>",
            "<rss><channel><title/><row><link/></row><row/><row/></channel></rss>",
            "<a><head><title/></head><b><c><row/><row/></c></b></a>",
            "<all><row><id>1</id></row></all>",
            "<all><row><id>1</id><na",
            "<row id='1'/>",
            "\u{a} <row>\n",
        ] {
            assert_eq!(guess(head).as_deref(), Some("row"), "{head}");
        }
        assert_eq!(guess("<n:all><n:row/><n:row/>").as_deref(), Some("n:row"));
    }

    #[test]
    fn other_text_has_no_records() {
        for head in ["", "{\"a\":1}", "a,b\n<a/>", "<134>1 2003-10-11 x", "< a>", "<?xml ?>", "<a"]
        {
            assert_eq!(guess(head), None, "{head}");
        }
    }
}
