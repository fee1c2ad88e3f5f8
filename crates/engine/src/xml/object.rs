//! An element as JSON, as Spark reads XML: attributes are members called `_name`, children of one
//! name an array, text beside either is called `_VALUE`, and all values are strings.

use std::ops::Range;

use super::TOO_DEEP;
use super::scan::{self, Markup, is_white_space};
use crate::json;

/// Makes objects of elements that are well-formed, as far as their tags go.
#[derive(Debug, Default)]
pub(super) struct Builder {
    /// The element's parts in the order of its text, each with all that is inside it
    parts: Vec<Part>,
    /// Elements that are not closed yet
    open: Vec<u32>,
    /// An element's members, by name
    members: Vec<u32>,
    text: String,
}

#[derive(Debug)]
struct Part {
    kind: Kind,
    name: Span,
    value: Span,
    /// The part that follows this one and all that is inside it
    after: u32,
    /// The next part of the same name in the same element
    next: Option<u32>,
    /// Whether a part before has the same name
    repeats: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Attribute,
    Element,
    Text,
    CData,
}

/// A place in the element's text, which is far shorter than 4 GiB.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    start: u32,
    end: u32,
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        Self { start: range.start as u32, end: range.end as u32 }
    }
}

impl Span {
    fn of(self, text: &str) -> &str {
        &text[self.start as usize..self.end as usize]
    }
}

type Written = Result<(), &'static str>;

impl Builder {
    /// Writes the element that is all of `text` in place of what is in `out`.
    pub(super) fn write(&mut self, text: &str, out: &mut String) -> Written {
        // Outside of character data, too, XML has none of them.
        if text.bytes().any(|c| c < 0x20 && !is_white_space(&c)) {
            return Err("a control character");
        }
        out.clear();
        self.read(text)?;
        self.element(text, 0, 0, true, out)
    }

    fn read(&mut self, text: &str) -> Written {
        let bytes = text.as_bytes();
        self.parts.clear();
        self.open.clear();
        let mut at = 0;
        while at < bytes.len() {
            let (markup, end) = scan::markup(bytes, at).ok_or("markup without an end")?;
            match markup {
                Markup::Start { name, empty } => {
                    self.open.push(self.parts.len() as u32);
                    self.attributes(bytes, name);
                    if empty {
                        self.close();
                    }
                }
                Markup::End { .. } => self.close(),
                Markup::CData(value) => self.add(Kind::CData, 0..0, value),
                _ => {}
            }
            let length = memchr::memchr(b'<', &bytes[end..]).unwrap_or(bytes.len() - end);
            at = end + length;
            if length > 0 {
                self.add(Kind::Text, 0..0, end..at);
            }
        }
        Ok(())
    }

    fn attributes(&mut self, bytes: &[u8], name: Range<usize>) {
        let mut at = name.end;
        self.add(Kind::Element, name, 0..0);
        while let Some((attribute, end)) = scan::attribute(bytes, at) {
            self.add(Kind::Attribute, attribute.name, attribute.value);
            at = end;
        }
    }

    fn add(&mut self, kind: Kind, name: Range<usize>, value: Range<usize>) {
        let after = self.parts.len() as u32 + 1;
        let (name, value) = (name.into(), value.into());
        self.parts.push(Part { kind, name, value, after, next: None, repeats: false });
    }

    fn close(&mut self) {
        let after = self.parts.len() as u32;
        if let Some(element) = self.open.pop() {
            self.parts[element as usize].after = after;
        }
    }

    /// What is directly inside an element.
    fn inside(&self, element: u32) -> impl Iterator<Item = u32> + use<'_> {
        let end = self.parts[element as usize].after;
        let within = move |part: &u32| *part < end;
        let next = move |part: &u32| Some(self.parts[*part as usize].after).filter(within);
        std::iter::successors(Some(element + 1).filter(within), next)
    }

    /// Writes an element's value, which an object and arrays may be around to a depth.
    fn element(
        &mut self,
        text: &str,
        element: u32,
        depth: usize,
        is_row: bool,
        out: &mut String,
    ) -> Written {
        let has_members = self.find_members(text, element)?;
        if !has_members && !is_row {
            return self.value(text, element, None, out);
        }
        let depth = deeper(depth)?;
        out.push('{');
        let end = self.parts[element as usize].after;
        let mut at = element + 1;
        while at < end {
            let part = &self.parts[at as usize];
            let (kind, name, after, repeats) = (part.kind, part.name, part.after, part.repeats);
            match kind {
                Kind::Attribute => self.attribute(text, at, out)?,
                Kind::Element if !repeats => {
                    open_member("", name.of(text), out);
                    self.elements(text, at, depth, out)?;
                }
                Kind::Element | Kind::Text | Kind::CData => {}
            }
            at = after;
        }
        self.value(text, element, Some("_VALUE"), out)?;
        out.push('}');
        Ok(())
    }

    /// Links what is called the same, and says whether there is anything but text.
    fn find_members(&mut self, text: &str, element: u32) -> Result<bool, &'static str> {
        let mut members = std::mem::take(&mut self.members);
        members.clear();
        let is_member =
            |part: &u32| matches!(self.parts[*part as usize].kind, Kind::Attribute | Kind::Element);
        members.extend(self.inside(element).filter(is_member));
        let has_members = !members.is_empty();
        members.sort_unstable_by_key(|part| (self.key(text, *part), *part));
        for at in 1..members.len() {
            let (before, part) = (members[at - 1], members[at]);
            if self.key(text, before) != self.key(text, part) {
                continue;
            }
            if self.parts[part as usize].kind == Kind::Attribute {
                return Err("an attribute that is given twice");
            }
            self.parts[before as usize].next = Some(part);
            self.parts[part as usize].repeats = true;
        }
        self.members = members;
        Ok(has_members)
    }

    fn key<'t>(&self, text: &'t str, part: u32) -> (Kind, &'t str) {
        let Part { kind, name, .. } = self.parts[part as usize];
        (kind, name.of(text))
    }

    fn attribute(&mut self, text: &str, attribute: u32, out: &mut String) -> Written {
        let Part { name, value, .. } = self.parts[attribute as usize];
        let name = name.of(text);
        let mut plain = std::mem::take(&mut self.text);
        plain.clear();
        unescape(value.of(text), true, &mut plain)?;
        if name != "xmlns" && !name.starts_with("xmlns:") {
            open_member("_", name, out);
            json::write::string(out, &plain);
        }
        self.text = plain;
        Ok(())
    }

    /// Writes an element, or an array of it and those that are called the same.
    fn elements(&mut self, text: &str, first: u32, depth: usize, out: &mut String) -> Written {
        let mut next = self.parts[first as usize].next;
        if next.is_none() {
            return self.element(text, first, depth, false, out);
        }
        let depth = deeper(depth)?;
        out.push('[');
        self.element(text, first, depth, false, out)?;
        while let Some(element) = next {
            out.push(',');
            self.element(text, element, depth, false, out)?;
            next = self.parts[element as usize].next;
        }
        out.push(']');
        Ok(())
    }

    /// Writes an element's text as a member, if it has any, or as its value, then perhaps null.
    fn value(
        &mut self,
        text: &str,
        element: u32,
        member: Option<&str>,
        out: &mut String,
    ) -> Written {
        let mut plain = std::mem::take(&mut self.text);
        plain.clear();
        for part in self.inside(element) {
            let Part { kind, value, .. } = &self.parts[part as usize];
            match kind {
                Kind::Text => unescape(value.of(text), false, &mut plain)?,
                Kind::CData => unescape_line_ends(value.of(text), &mut plain),
                Kind::Attribute | Kind::Element => {}
            }
        }
        let trimmed = plain.trim_matches(|c: char| c.is_ascii() && is_white_space(&(c as u8)));
        match member {
            Some(_) if trimmed.is_empty() => {}
            Some(name) => {
                open_member("", name, out);
                json::write::string(out, trimmed);
            }
            None if trimmed.is_empty() => out.push_str("null"),
            None => json::write::string(out, trimmed),
        }
        self.text = plain;
        Ok(())
    }
}

/// Begins a member of the object that `out` ends in.
fn open_member(prefix: &str, name: &str, out: &mut String) {
    if !out.ends_with('{') {
        out.push(',');
    }
    // Names hold nothing that JSON escapes.
    out.extend(["\"", prefix, name, "\":"]);
}

/// One level further down than `depth`, unless JSON's readers would refuse it.
fn deeper(depth: usize) -> Result<usize, &'static str> {
    if depth < json::MAX_DEPTH { Ok(depth + 1) } else { Err(TOO_DEEP) }
}

/// Appends what character data or an attribute's value stands for.
fn unescape(raw: &str, is_attribute: bool, out: &mut String) -> Written {
    let is_special = |c: u8| match c {
        b'&' | b'\r' => true,
        b'\n' | b'\t' => is_attribute,
        _ => false,
    };
    let line_end = if is_attribute { ' ' } else { '\n' };
    let mut rest = raw;
    while let Some(at) = rest.bytes().position(is_special) {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        rest = &special[1..];
        match special.as_bytes()[0] {
            b'&' => {
                let (name, behind) = rest.split_once(';').ok_or("a `&` without a `;`")?;
                out.push(entity(name).ok_or("an entity that XML does not define")?);
                rest = behind;
            }
            b'\r' if rest.starts_with('\n') => {}
            b'\t' => out.push(' '),
            _ => out.push(line_end),
        }
    }
    out.push_str(rest);
    Ok(())
}

/// Appends text in which line ends alone are not as they are meant.
fn unescape_line_ends(raw: &str, out: &mut String) {
    let mut pieces = raw.split('\r');
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        if !piece.starts_with('\n') {
            out.push('\n');
        }
        out.push_str(piece);
    }
}

/// What an entity stands for. Those that a document defines itself are none: they could be files, or
/// expand without end.
fn entity(name: &str) -> Option<char> {
    let number = |digits: &str, radix| {
        let digits = digits.strip_prefix(|c: char| c.is_digit(radix)).map(|_| digits)?;
        let c = char::from_u32(u32::from_str_radix(digits, radix).ok()?)?;
        let is_xml = matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
        is_xml.then_some(c)
    };
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => match name.strip_prefix('#')?.strip_prefix('x') {
            Some(digits) => number(digits, 16),
            None => number(&name[1..], 10),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projection::Projection;

    fn object(text: &str) -> Result<String, &'static str> {
        let mut out = "left over".to_owned();
        Builder::default().write(text, &mut out)?;
        let mut walker = json::Walker::new(Projection::empty());
        assert_eq!(walker.walk(out.as_bytes(), 0), Ok(out.len()), "{out}");
        Ok(out)
    }

    #[test]
    fn elements_and_attributes_become_members() {
        for (xml, expected) in [
            ("<r/>", "{}"),
            ("<r></r>", "{}"),
            ("<r> x </r>", r#"{"_VALUE":"x"}"#),
            ("<r a='1' n:b=\"2\"/>", r#"{"_a":"1","_n:b":"2"}"#),
            ("<r a='1'>x</r>", r#"{"_a":"1","_VALUE":"x"}"#),
            ("<r><a>1</a><n:b> two </n:b></r>", r#"{"a":"1","n:b":"two"}"#),
            ("<r><a/><b></b><c>\n</c></r>", r#"{"a":null,"b":null,"c":null}"#),
            ("<r><a x='1'/></r>", r#"{"a":{"_x":"1"}}"#),
            ("<r><a x='1'>t</a></r>", r#"{"a":{"_x":"1","_VALUE":"t"}}"#),
            ("<r><a><b><c>1</c></b></a></r>", r#"{"a":{"b":{"c":"1"}}}"#),
            ("<r x='1'><x>2</x></r>", r#"{"_x":"1","x":"2"}"#),
            ("<r>a<b>1</b>c<b/> </r>", r#"{"b":["1",null],"_VALUE":"ac"}"#),
        ] {
            assert_eq!(object(xml).unwrap(), expected, "{xml}");
        }
    }

    #[test]
    fn children_of_one_name_become_an_array_where_the_first_stands() {
        assert_eq!(
            object("<r><z>1</z><a>2</a><z k='v'>3</z><z/><a>4</a><b>5</b></r>").unwrap(),
            r#"{"z":["1",{"_k":"v","_VALUE":"3"},null],"a":["2","4"],"b":"5"}"#
        );
        assert_eq!(
            object("<r><p><q>1</q><q>2</q></p><p><q>3</q></p></r>").unwrap(),
            r#"{"p":[{"q":["1","2"]},{"q":"3"}]}"#
        );
    }

    #[test]
    fn namespaces_are_no_values() {
        let xml = "<r xmlns='u' xmlns:n=\"v\" xmlnsx='1'><a xmlns='w'>1</a></r>";
        assert_eq!(object(xml).unwrap(), r#"{"_xmlnsx":"1","a":{"_VALUE":"1"}}"#);
    }

    #[test]
    fn text_is_what_its_entities_and_line_ends_stand_for() {
        let xml =
            "<r a='&lt;&#9;\r\n\t\n&quot;'><t>&amp;lt; &#233;&#x1F600;&apos;\r\n\r&gt;</t></r>";
        assert_eq!(object(xml).unwrap(), r#"{"_a":"<\t   \"","t":"&lt; é😀'\n\n>"}"#);
        let xml = "<r><t>a<![CDATA[ <b> &amp; \r\n]]]]><!-- c --><?p d?> e</t></r>";
        assert_eq!(object(xml).unwrap(), r#"{"t":"a <b> &amp; \n]] e"}"#);
    }

    #[test]
    fn entities_that_xml_does_not_define_are_faults() {
        for entity in
            ["&nbsp;", "&lol9;", "&;", "&#;", "&#x;", "&#+5;", "&#0;", "&#xD800;", "&#x110000;"]
        {
            let fault = Err("an entity that XML does not define");
            assert_eq!(object(&format!("<r>{entity}</r>")), fault, "{entity}");
            assert_eq!(object(&format!("<r xmlns='{entity}'/>")), fault, "{entity}");
        }
        assert_eq!(object("<r>a & b</r>"), Err("a `&` without a `;`"));
        assert_eq!(object("<r><a>\u{1}</a></r>"), Err("a control character"));
        assert_eq!(object("<r a='1' b='2' a='3'/>"), Err("an attribute that is given twice"));
    }

    #[test]
    fn objects_and_arrays_are_no_deeper_than_json_may_be() {
        let nested =
            |levels| "<r>".to_owned() + &"<a>".repeat(levels) + &"</a>".repeat(levels) + "</r>";
        assert!(object(&nested(255)).is_ok());
        let arrays = |levels| {
            let inner = "<a/>".to_owned();
            (0..levels).fold(inner, |inner, _| format!("<a/><a>{inner}</a>"))
        };
        // Each level is an object and an array.
        assert!(object(&format!("<r>{}</r>", arrays(60))).is_ok());
        assert_eq!(object(&format!("<r>{}</r>", arrays(130))), Err(TOO_DEEP));
    }

    #[test]
    fn many_children_take_no_longer_than_they_are_many() {
        let names: String = (0..200_000).map(|n| format!("<a{n}/>")).collect();
        assert!(object(&format!("<r>{names}</r>")).is_ok());
        let same = "<a/>".repeat(200_000);
        assert!(object(&format!("<r>{same}</r>")).is_ok());
    }
}
