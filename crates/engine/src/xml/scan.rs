//! Finds the ends of XML's markup, strictly as XML 1.0 says of each piece by itself.

use std::ops::Range;

/// A piece of markup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Markup {
    /// A start tag, or that of an empty element
    Start {
        name: Range<usize>,
        empty: bool,
    },
    End {
        name: Range<usize>,
    },
    /// A CDATA section, and its text
    CData(Range<usize>),
    /// A processing instruction or an XML declaration
    Instruction,
    Comment,
    Doctype,
    /// A `<` that does not go on as markup does; where it is a start tag's, with its name
    Broken {
        name: Range<usize>,
        fault: &'static str,
    },
}

/// A name and its value, without the quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attribute {
    pub(super) name: Range<usize>,
    pub(super) value: Range<usize>,
}

/// Why a tag goes no further.
enum Stop {
    End,
    Syntax(&'static str),
}

/// The markup at the `<` at `at`, and the byte after it; nothing if the bytes end inside. Of broken
/// markup only the `<` is taken, so that what follows is looked at by itself.
pub(super) fn markup(bytes: &[u8], at: usize) -> Option<(Markup, usize)> {
    match bytes.get(at + 1)? {
        b'/' => end_tag(bytes, at),
        b'?' => Some((Markup::Instruction, behind(bytes, at + 2, b"?>")?)),
        b'!' => declaration(bytes, at),
        _ => start_tag(bytes, at),
    }
}

/// The attribute that begins at `at` or behind white space there, and the byte after it; nothing at
/// the tag's end.
pub(super) fn attribute(bytes: &[u8], at: usize) -> Option<(Attribute, usize)> {
    let at = skip_white_space(bytes, at);
    match bytes.get(at)? {
        b'>' | b'/' => None,
        _ => checked_attribute(bytes, at).ok(),
    }
}

pub(super) fn is_white_space(c: &u8) -> bool {
    matches!(c, b' ' | b'\t' | b'\r' | b'\n')
}

fn skip_white_space(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(is_white_space) {
        at += 1;
    }
    at
}

/// The byte after `end`, searched from `at` on.
fn behind(bytes: &[u8], at: usize, end: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes.get(at..)?, end).map(|found| at + found + end.len())
}

/// Whether `start` stands at `at`; nothing if the bytes end before that can be told.
fn stands(bytes: &[u8], at: usize, start: &[u8]) -> Option<bool> {
    let there = &bytes[at..bytes.len().min(at + start.len())];
    match start.starts_with(there) {
        true if there.len() < start.len() => None,
        stands => Some(stands),
    }
}

/// The name that begins at `at`; empty if there is none, nothing if the bytes end inside.
fn name(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let first = |c: u8| c.is_ascii_alphabetic() || matches!(c, b'_' | b':' | 0x80..);
    let other = |c: &u8| first(*c) || matches!(c, b'0'..=b'9' | b'-' | b'.');
    if !first(*bytes.get(at)?) {
        return Some(at..at);
    }
    let length = bytes[at..].iter().position(|c| !other(c))?;
    Some(at..at + length)
}

fn broken(at: usize, name: Range<usize>, fault: &'static str) -> Option<(Markup, usize)> {
    Some((Markup::Broken { name, fault }, at + 1))
}

fn start_tag(bytes: &[u8], start: usize) -> Option<(Markup, usize)> {
    let name = name(bytes, start + 1)?;
    if name.is_empty() {
        return broken(start, name, "a `<` that begins no tag");
    }
    let mut at = name.end;
    loop {
        let next = skip_white_space(bytes, at);
        match bytes.get(next)? {
            b'>' => return Some((Markup::Start { name, empty: false }, next + 1)),
            b'/' if *bytes.get(next + 1)? == b'>' => {
                return Some((Markup::Start { name, empty: true }, next + 2));
            }
            b'/' => return broken(start, name, "a `/` inside a tag"),
            _ if next == at => return broken(start, name, "no white space before an attribute"),
            _ => match checked_attribute(bytes, next) {
                Ok((_, end)) => at = end,
                Err(Stop::End) => return None,
                Err(Stop::Syntax(fault)) => return broken(start, name, fault),
            },
        }
    }
}

fn checked_attribute(bytes: &[u8], at: usize) -> Result<(Attribute, usize), Stop> {
    let name = name(bytes, at).ok_or(Stop::End)?;
    if name.is_empty() {
        return Err(Stop::Syntax("an attribute without a name"));
    }
    let equals = skip_white_space(bytes, name.end);
    if *bytes.get(equals).ok_or(Stop::End)? != b'=' {
        return Err(Stop::Syntax("an attribute without a value"));
    }
    let open = skip_white_space(bytes, equals + 1);
    let quote = *bytes.get(open).ok_or(Stop::End)?;
    if !matches!(quote, b'"' | b'\'') {
        return Err(Stop::Syntax("an attribute's value without quotes"));
    }
    let length = memchr::memchr2(quote, b'<', &bytes[open + 1..]).ok_or(Stop::End)?;
    let close = open + 1 + length;
    if bytes[close] == b'<' {
        return Err(Stop::Syntax("a `<` inside an attribute's value"));
    }
    Ok((Attribute { name, value: open + 1..close }, close + 1))
}

fn end_tag(bytes: &[u8], start: usize) -> Option<(Markup, usize)> {
    let name = name(bytes, start + 2)?;
    let end = skip_white_space(bytes, name.end);
    if name.is_empty() || *bytes.get(end)? != b'>' {
        return broken(start, start..start, "a `</` that begins no end tag");
    }
    Some((Markup::End { name }, end + 1))
}

fn declaration(bytes: &[u8], at: usize) -> Option<(Markup, usize)> {
    const CDATA: &[u8] = b"<![CDATA[";
    const DOCTYPE: &[u8] = b"<!DOCTYPE";
    if stands(bytes, at, b"<!--")? {
        return Some((Markup::Comment, behind(bytes, at + 4, b"-->")?));
    }
    if stands(bytes, at, CDATA)? {
        let end = behind(bytes, at + CDATA.len(), b"]]>")?;
        return Some((Markup::CData(at + CDATA.len()..end - 3), end));
    }
    if stands(bytes, at, DOCTYPE)? {
        return Some((Markup::Doctype, behind_doctype(bytes, at + DOCTYPE.len())?));
    }
    broken(at, at..at, "a `<!` that begins neither comment nor CDATA")
}

/// The byte after a document type declaration, whose declarations may hold anything in quotes.
fn behind_doctype(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut inside = false;
    loop {
        match bytes.get(at)? {
            quote @ (b'"' | b'\'') => at += 1 + memchr::memchr(*quote, &bytes[at + 1..])?,
            b'[' => inside = true,
            b']' => inside = false,
            b'>' if !inside => return Some(at + 1),
            b'<' if stands(bytes, at, b"<!--")? => at = behind(bytes, at + 4, b"-->")? - 1,
            b'<' if stands(bytes, at, b"<?")? => at = behind(bytes, at + 2, b"?>")? - 1,
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Markup {
        let (found, end) = markup(text.as_bytes(), 0).unwrap();
        assert_eq!(end, text.len(), "{text}");
        found
    }

    fn fault(text: &str) -> &'static str {
        match markup(text.as_bytes(), 0) {
            Some((Markup::Broken { fault, .. }, 1)) => fault,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn tags_end_where_xml_says() {
        assert_eq!(whole("<a>"), Markup::Start { name: 1..2, empty: false });
        assert_eq!(whole("<a/>"), Markup::Start { name: 1..2, empty: true });
        assert_eq!(whole("<n:a\r\n\tb = '>'\n c=\"/>'\" >"), whole("<n:a           >"));
        assert_eq!(whole("<é.-9 x='' />"), Markup::Start { name: 1..6, empty: true });
        assert_eq!(whole("</a\n>"), Markup::End { name: 2..3 });
    }

    #[test]
    fn other_markup_ends_where_xml_says() {
        assert_eq!(whole("<!-- <a> -- > -->"), Markup::Comment);
        assert_eq!(whole("<![CDATA[]] > <a>]]>"), Markup::CData(9..17));
        assert_eq!(whole("<?php echo '>' ?>"), Markup::Instruction);
        assert_eq!(whole("<!DOCTYPE a SYSTEM \"x>y\">"), Markup::Doctype);
        assert_eq!(
            whole("<!DOCTYPE a [<!ENTITY e \"]><a>\"> <!-- ' ]> --> <?x ]>' ?> ] >"),
            Markup::Doctype
        );
    }

    #[test]
    fn what_only_looks_like_markup_is_broken() {
        assert_eq!(fault("< a>"), "a `<` that begins no tag");
        assert_eq!(fault("<1>"), "a `<` that begins no tag");
        assert_eq!(fault("<a/b>"), "a `/` inside a tag");
        assert_eq!(fault("<a b>"), "an attribute without a value");
        assert_eq!(fault("<a b=1>"), "an attribute's value without quotes");
        assert_eq!(fault("<a b='1'c='2'>"), "no white space before an attribute");
        assert_eq!(fault("<a b='<'>"), "a `<` inside an attribute's value");
        assert_eq!(fault("<a b='1' =>"), "an attribute without a name");
        assert_eq!(fault("</a b>"), "a `</` that begins no end tag");
        assert_eq!(fault("<!ELEMENT a>"), "a `<!` that begins neither comment nor CDATA");
    }

    #[test]
    fn markup_that_is_cut_anywhere_is_asked_for_again() {
        for text in [
            "<a b = \"1\" c='2' />",
            "</a >",
            "<!-- - -- -->",
            "<![CDATA[]]]]>",
            "<?a ?b?>",
            "<!DOCTYPE a [<!ENTITY e \"]>\"> <!-- ]> --> <?x ]>?> ]>",
        ] {
            for end in 1..text.len() {
                assert_eq!(markup(&text.as_bytes()[..end], 0), None, "{}", &text[..end]);
            }
            whole(text);
        }
    }
}
