//! Walks over one JSON object, checks all of it and notes where the wanted values lie.

use super::read::unescape_into;
use super::scan::{
    self, Found, Key, byte, check_depth, literal, number, skip_value, skip_white_space, string,
    syntax,
};
use crate::projection::{NodeId, Projection};
use crate::value::{Escapes, Record, Slot, Text, Value};

/// Where a value lies, from the record's first byte.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    kind: Kind,
    start: usize,
    end: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Missing,
    True,
    False,
    Number,
    String,
    EscapedString,
    Array,
    Object,
}

/// Walks over records, one after the other, and holds the places of the last one's values.
#[derive(Debug)]
pub(crate) struct Walker {
    projection: Projection,
    fixed: Vec<Span>,
    elements: Vec<Span>,
    /// Elements of the exploded array so far.
    element_count: usize,
    /// The first span of the element that is being walked.
    element_start: usize,
    record_start: usize,
    /// How many records were walked, and at which of them each place was met last.
    record_number: u64,
    met_at: Vec<u64>,
}

impl Walker {
    pub(crate) fn new(projection: Projection) -> Self {
        let (fixed, _) = projection.slots();
        Self {
            met_at: vec![0; projection.nodes()],
            record_number: 0,
            projection,
            fixed: vec![Span::default(); fixed],
            elements: Vec::new(),
            element_count: 0,
            element_start: 0,
            record_start: 0,
        }
    }

    /// The byte after the object that begins at `at`.
    pub(crate) fn walk(&mut self, bytes: &[u8], at: usize) -> Found {
        self.record_start = at;
        self.record_number += 1;
        self.fixed.fill(Span::default());
        self.clear_elements();
        self.object(bytes, at, Projection::ROOT, 1)
    }

    /// The record walked last, whose bytes are `text`.
    pub(crate) fn record<'a>(&'a self, text: &'a str) -> JsonRecord<'a> {
        JsonRecord { text, walker: self }
    }

    fn clear_elements(&mut self) {
        self.elements.clear();
        self.element_count = 0;
    }

    fn object(&mut self, bytes: &[u8], at: usize, node: NodeId, depth: usize) -> Found {
        check_depth(at, depth)?;
        let mut at = skip_white_space(bytes, at + 1);
        if byte(bytes, at)? == b'}' {
            return Ok(at + 1);
        }
        loop {
            let (key, value) = scan::key(bytes, at)?;
            let end = match self.find(node, key) {
                Some(member) => self.value(bytes, value, member, depth)?,
                None => skip_value(bytes, value, depth)?,
            };
            at = skip_white_space(bytes, end);
            match byte(bytes, at)? {
                b',' => at = skip_white_space(bytes, at + 1),
                b'}' => return Ok(at + 1),
                _ => return syntax(at, "`,` or `}` was expected"),
            }
        }
    }

    fn find(&self, node: NodeId, key: Key<'_>) -> Option<NodeId> {
        let node = self.projection.node(node);
        if !key.escaped {
            return node.find_raw(key.raw);
        }
        let mut name = String::new();
        unescape_into(std::str::from_utf8(key.raw).ok()?, &mut name)?;
        node.find_decoded(&name)
    }

    /// Walks over a wanted value, or one with wanted values inside.
    fn value(&mut self, bytes: &[u8], at: usize, node: NodeId, depth: usize) -> Found {
        let place = self.projection.node(node);
        let (slot, each, is_leaf) = (place.slot, place.each, place.is_leaf());
        if !is_leaf && self.met_at[node.index()] == self.record_number {
            // Of a name given twice the last counts, also for what was noted inside the first.
            self.clear_inside(node);
        }
        self.met_at[node.index()] = self.record_number;
        let first = byte(bytes, at)?;
        let (kind, end) = match first {
            b'"' => {
                let (end, escaped) = string(bytes, at + 1)?;
                (if escaped { Kind::EscapedString } else { Kind::String }, end + 1)
            }
            b'-' | b'0'..=b'9' => (Kind::Number, number(bytes, at)?),
            b't' => (Kind::True, literal(bytes, at, b"true")?),
            b'f' => (Kind::False, literal(bytes, at, b"false")?),
            b'n' => (Kind::Missing, literal(bytes, at, b"null")?),
            b'{' if is_leaf => (Kind::Object, skip_value(bytes, at, depth)?),
            b'[' if is_leaf => (Kind::Array, skip_value(bytes, at, depth)?),
            b'{' => (Kind::Object, self.object(bytes, at, node, depth + 1)?),
            b'[' => (Kind::Array, self.array(bytes, at, node, depth + 1)?),
            _ => return syntax(at, "a value was expected"),
        };
        if let Some(slot) = slot {
            self.note(slot, Span { kind, start: at, end });
        }
        // What should be an array but is one value counts as an array of it.
        if let Some(each) = each.filter(|_| !matches!(kind, Kind::Array | Kind::Missing)) {
            self.begin_element();
            self.value(bytes, at, each, depth)?;
        }
        Ok(end)
    }

    fn array(&mut self, bytes: &[u8], at: usize, node: NodeId, depth: usize) -> Found {
        check_depth(at, depth)?;
        let mut at = skip_white_space(bytes, at + 1);
        if byte(bytes, at)? == b']' {
            return Ok(at + 1);
        }
        for index in 0.. {
            let place = self.projection.node(node);
            let each = place.each;
            let by_index = place.by_index.iter().find(|(i, _)| *i == index).map(|(_, node)| *node);
            let mut end = None;
            if let Some(each) = each {
                self.begin_element();
                end = Some(self.value(bytes, at, each, depth)?);
            }
            if let Some(element) = by_index {
                end = Some(self.value(bytes, at, element, depth)?);
            }
            let end = match end {
                Some(end) => end,
                None => skip_value(bytes, at, depth)?,
            };
            at = skip_white_space(bytes, end);
            match byte(bytes, at)? {
                b',' => at = skip_white_space(bytes, at + 1),
                b']' => break,
                _ => return syntax(at, "`,` or `]` was expected"),
            }
        }
        Ok(at + 1)
    }

    fn begin_element(&mut self) {
        let (_, width) = self.projection.slots();
        self.element_start = self.elements.len();
        self.element_count += 1;
        self.elements.resize(self.element_start + width, Span::default());
    }

    fn note(&mut self, slot: Slot, span: Span) {
        let place = match slot {
            Slot::Fixed(at) => self.fixed.get_mut(at),
            Slot::Element(at) => self.elements.get_mut(self.element_start + at),
            Slot::Partition(_) => None,
        };
        if let Some(place) = place {
            *place = span;
        }
    }

    /// Forgets what was noted inside a place.
    fn clear_inside(&mut self, node: NodeId) {
        if self.projection.node(node).each.is_some() {
            self.clear_elements();
        }
        for at in 0.. {
            let place = self.projection.node(node);
            let members = place.members.len();
            let inside = match place.members.get(at) {
                Some(member) => member.node,
                None => match place.by_index.get(at - members) {
                    Some((_, node)) => *node,
                    None => return,
                },
            };
            if let Some(slot) = self.projection.node(inside).slot {
                self.note(slot, Span::default());
            }
            self.clear_inside(inside);
        }
    }
}

/// A record's values, read out of its text by the places that the walker noted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JsonRecord<'a> {
    text: &'a str,
    walker: &'a Walker,
}

impl Record for JsonRecord<'_> {
    fn elements(&self) -> usize {
        self.walker.element_count
    }

    fn value(&self, slot: Slot, element: usize) -> Value<'_> {
        let (_, width) = self.walker.projection.slots();
        let span = match slot {
            Slot::Fixed(at) => self.walker.fixed.get(at),
            Slot::Element(at) if element < self.walker.element_count => {
                self.walker.elements.get(element * width + at)
            }
            Slot::Element(_) | Slot::Partition(_) => None,
        };
        let Some(span) = span else {
            return Value::Missing;
        };
        let start = span.start.wrapping_sub(self.walker.record_start);
        let text = |trim: usize| {
            let end = span.end - self.walker.record_start;
            self.text.get(start + trim..end - trim).unwrap_or_default()
        };
        match span.kind {
            Kind::Missing => Value::Missing,
            Kind::True => Value::Bool(true),
            Kind::False => Value::Bool(false),
            Kind::Number => Value::Number(text(0)),
            Kind::String => Value::Text(Text::new(text(1), Escapes::None)),
            Kind::EscapedString => Value::Text(Text::new(text(1), Escapes::Json)),
            Kind::Array => Value::Array(text(0)),
            Kind::Object => Value::Object(text(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(paths: &[&str], text: &str) -> (usize, Vec<Vec<String>>) {
        let mut projection = Projection::empty();
        let slots: Vec<Slot> =
            paths.iter().map(|path| projection.add(&path.parse().unwrap())).collect();
        let mut walker = Walker::new(projection);
        assert_eq!(walker.walk(text.as_bytes(), 0), Ok(text.len()), "{text}");
        let record = walker.record(text);
        let rows = record.elements().max(1);
        let shown = |value: Value<'_>| match value {
            Value::Missing => "-".into(),
            Value::Text(text) => text.decode(&mut String::new()).unwrap().to_owned(),
            Value::Number(text) | Value::Array(text) | Value::Object(text) => text.to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Time(_) | Value::InexactTime | Value::NotText => panic!("JSON has none"),
        };
        let values = |row| slots.iter().map(|slot| shown(record.value(*slot, row))).collect();
        (record.elements(), (0..rows).map(values).collect())
    }

    #[test]
    fn wanted_values_are_found_wherever_they_lie() {
        let text = r#"{"x":[{"userid":"no"}], "UserID": 35, "properties": {"a": null,
            "SKU": "t\u00e9\"e", "list": [1, {"deep": true}, 7.10]}}"#;
        let (_, rows) = walked(
            &["userId", "properties.sku", "properties.list[1].deep", "properties.list[2]", "none"],
            text,
        );
        assert_eq!(rows, [["35", "té\"e", "true", "7.10", "-"]]);
    }

    #[test]
    fn an_exploded_array_gives_a_row_per_element() {
        let paths = ["u", "products[].sku", "products[].price", "products[0].sku"];
        let (count, rows) = walked(
            &paths,
            r#"{"products":[{"sku":"a","price":1},{"price":2},"odd",null],"u":"x"}"#,
        );
        assert_eq!(count, 4);
        assert_eq!(
            rows,
            [
                ["x", "a", "1", "a"],
                ["x", "-", "2", "a"],
                ["x", "-", "-", "a"],
                ["x", "-", "-", "a"]
            ]
        );
        assert_eq!(walked(&paths, r#"{"products":[],"u":"x"}"#).0, 0);
        assert_eq!(walked(&paths, r#"{"products":null}"#).0, 0);
        assert_eq!(walked(&paths, r#"{"products":{"sku":"one"}}"#).1, [["-", "one", "-", "-"]]);
        assert_eq!(walked(&["skus[]"], r#"{"skus":["a","b"]}"#).1, [["a"], ["b"]]);
    }

    #[test]
    fn of_a_name_given_twice_the_last_counts() {
        assert_eq!(walked(&["a"], r#"{"a":1,"A":2,"a":3}"#).1, [["3"]]);
        assert_eq!(walked(&["p.a", "p.b"], r#"{"p":{"a":1},"p":{"b":2}}"#).1, [["-", "2"]]);
        assert_eq!(walked(&["p.a"], r#"{"p":{"a":1},"p":null}"#).1, [["-"]]);
        assert_eq!(walked(&["p[].a"], r#"{"p":[{"a":1},{"a":2}],"p":[{"a":3}]}"#).1, [["3"]]);
    }

    #[test]
    fn names_match_ignoring_case_in_every_script() {
        assert_eq!(walked(&["größe"], r#"{"GRÖSSE":0,"GRÖßE":1}"#).1, [["1"]]);
        assert_eq!(walked(&["user"], r#"{"\u0055ser":1}"#).1, [["1"]]);
    }
}
