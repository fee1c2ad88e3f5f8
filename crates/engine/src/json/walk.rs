//! Walks over one JSON object, checks all of it and notes where the wanted values lie.

use super::ahead::{Ahead, InAnyOrder, InOrder, Trial};
use super::layout::{Bracket, Crossing, GapId, Layout, Next, Shortcut};
use super::notes::{JsonRecord, Kind, Notes};
use super::read::unescape_into;
use super::scan::{
    self, Found, Key, Stop, byte, check_depth, few_digits, few_digits_with_point, literal, number,
    skip_value, skip_white_space, syntax,
};
use super::strings::string;
use crate::lanes::LANES;
use crate::projection::{NodeId, Projection};
use crate::value::Slot;

/// Walks over records, one after the other, and notes the places of the last one's values.
#[derive(Debug)]
pub(crate) struct Walker {
    projection: Projection,
    layout: Layout,
    notes: Notes,
    /// How many records were walked, and at which of them each place was met last.
    record_number: u64,
    met_at: Vec<u64>,
    in_any_order: bool,
    may_have_line_breaks: bool,
}

/// How often it is tried anew whether members come in the order of the record before.
const TRIED_EVERY: u64 = 64;

impl Walker {
    pub(crate) fn new(projection: Projection) -> Self {
        let (fixed, width) = projection.slots();
        Self {
            layout: Layout::new(),
            met_at: vec![0; projection.nodes()],
            record_number: 0,
            in_any_order: false,
            may_have_line_breaks: false,
            projection,
            notes: Notes::new(fixed, width),
        }
    }

    /// Whether there is room to learn more.
    pub(crate) fn has_room(&self) -> bool {
        self.layout.has_room()
    }

    /// The byte after the object that begins at `at`.
    pub(crate) fn walk(&mut self, bytes: &[u8], at: usize) -> Found {
        self.record_number += 1;
        self.notes.clear();
        self.may_have_line_breaks = self.layout.has_line_breaks();
        if self.record_number.is_multiple_of(TRIED_EVERY) {
            self.try_order(bytes, at)
        } else if self.in_any_order {
            self.walk_in_any_order(bytes, at)
        } else {
            self.walk_in_order(bytes, at)
        }
    }

    #[inline(never)]
    fn walk_in_order(&mut self, bytes: &[u8], at: usize) -> Found {
        self.walk_by(InOrder, bytes, at)
    }

    #[inline(never)]
    fn walk_in_any_order(&mut self, bytes: &[u8], at: usize) -> Found {
        self.walk_by(InAnyOrder::new(at), bytes, at)
    }

    #[inline(never)]
    fn try_order(&mut self, bytes: &[u8], at: usize) -> Found {
        let mut trial = Trial::default();
        let end = self.walk_by(&mut trial, bytes, at);
        self.in_any_order = trial.is_in_any_order();
        end
    }

    /// Whether the record walked last might have line breaks in it.
    pub(crate) fn may_have_line_breaks(&self) -> bool {
        self.may_have_line_breaks
    }

    /// Walks over an object.
    #[inline(always)]
    fn walk_by<A: Ahead>(&mut self, mut ahead: A, bytes: &[u8], mut at: usize) -> Found {
        let mut gap = Layout::START;
        // No gap is known in less. Said here, that need not be asked of each block.
        let has_blocks = bytes.len() >= LANES;
        'gaps: loop {
            'known: {
                if !has_blocks {
                    break 'known;
                }
                let Some(found) = ahead.gap(&mut self.layout, gap, bytes, at) else {
                    break 'known;
                };
                let (next, shortcut) = (found.gap, found.shortcut);
                let end = at + usize::from(found.length);
                let Some(&first) = bytes.get(end) else {
                    break 'known;
                };
                if let Shortcut::Value(slot) = shortcut
                    && first == b'"'
                {
                    let (close, escaped) = ahead.string(bytes, end)?;
                    if slot != Notes::UNREAD || !A::IN_ORDER {
                        let kind = if escaped { Kind::EscapedString } else { Kind::String };
                        self.notes.note_fixed(slot, kind, end + 1, close);
                    }
                    (gap, at) = (next, close + 1);
                    continue 'gaps;
                }
                let behind = match shortcut {
                    Shortcut::Value(slot) => {
                        let (kind, behind) = match few_digits(bytes, end) {
                            Some(behind) => (Kind::FewDigits, Some(behind)),
                            None => (Kind::Number, few_digits_with_point(bytes, end)),
                        };
                        if let Some(behind) = behind {
                            self.notes.note_fixed(slot, kind, end, behind);
                        }
                        behind
                    }
                    Shortcut::GoInside => Some(end),
                    Shortcut::End => return Ok(end),
                    Shortcut::None => None,
                };
                if let Some(behind) = behind {
                    (gap, at) = (next, behind);
                    continue 'gaps;
                }
                if self.is_as_before(next, first)
                    && let Some(behind) = self.value_behind(next, bytes, end)?
                {
                    (gap, at) = (next, behind);
                    continue 'gaps;
                }
            }
            let (next, end) = self.cross(gap, bytes, at)?;
            match self.value_behind(next, bytes, end)? {
                Some(behind) => (gap, at) = (next, behind),
                None => return Ok(end),
            }
        }
    }

    /// Whether what is behind a known gap is what can be there, whatever was before: the inside of a
    /// wanted object, or a value that is neither an object nor an array.
    fn is_as_before(&self, gap: GapId, first: u8) -> bool {
        matches!(self.layout.crossing(gap).next, Next::Inside(_))
            || matches!(first, b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n')
    }

    /// Walks over the value behind a gap; none at the record's end.
    #[inline(never)]
    fn value_behind(&mut self, gap: GapId, bytes: &[u8], at: usize) -> Result<Option<usize>, Stop> {
        self.may_have_line_breaks |= matches!(bytes.get(at), Some(b'{' | b'['));
        Ok(Some(match self.layout.crossing(gap).next {
            Next::End => return Ok(None),
            Next::Inside(node) => {
                if let Some(node) = node {
                    self.meet(node);
                }
                at
            }
            Next::Skipped => skip_value(bytes, at, self.depth_behind(gap))?,
            Next::Noted(slot) => {
                let (kind, end) = whole_value(bytes, at, self.depth_behind(gap))?;
                self.notes.note_whole(Slot::Fixed(slot as usize), kind, at, end);
                end
            }
            Next::Walked(node) => self.value(bytes, at, node, self.depth_behind(gap))?,
        }))
    }

    fn depth_behind(&self, gap: GapId) -> usize {
        self.layout.depth(self.layout.crossing(gap).nesting)
    }

    /// Crosses the gap at `start`, byte by byte, and learns it. Gives it and the byte after it.
    #[inline(never)]
    fn cross(&mut self, last: GapId, bytes: &[u8], start: usize) -> Result<(GapId, usize), Stop> {
        let Crossing { mut nesting, next: before } = self.layout.crossing(last);
        let mut at = start;
        // Behind a value a comma leads to the next one, behind an opening bracket nothing does.
        let mut is_first = matches!(before, Next::Inside(_));
        let next = loop {
            let (bracket, node, outer) = self.layout.innermost(nesting);
            let value = if nesting == Layout::OUTSIDE {
                Some(Projection::ROOT)
            } else {
                at = skip_white_space(bytes, at);
                match (byte(bytes, at)?, bracket) {
                    (b'}', Bracket::Object) | (b']', Bracket::Array) => {
                        at += 1;
                        nesting = outer;
                        if nesting == Layout::OUTSIDE {
                            break Next::End;
                        }
                        is_first = false;
                        continue;
                    }
                    _ if is_first => self.member(bytes, &mut at, bracket, node)?,
                    (b',', _) => {
                        at = skip_white_space(bytes, at + 1);
                        self.member(bytes, &mut at, bracket, node)?
                    }
                    (_, Bracket::Object) => return syntax(at, "`,` or `}` was expected"),
                    (_, Bracket::Array) => return syntax(at, "`,` or `]` was expected"),
                }
            };
            let bracket = match byte(bytes, at)? {
                b'{' if value.is_none_or(|node| self.is_told_by_names(node)) => Bracket::Object,
                b'[' if value.is_none() => Bracket::Array,
                _ => break self.wanted(value),
            };
            let Some(inside) = self.layout.inside(nesting, bracket, value) else {
                break self.wanted(value);
            };
            check_depth(at, self.layout.depth(inside))?;
            nesting = inside;
            at += 1;
            // Of a record the first name is found at once.
            if value != Some(Projection::ROOT) {
                break Next::Inside(value);
            }
            is_first = true;
        };
        self.may_have_line_breaks |= bytes[start..at].contains(&b'\n');
        let gap = self.layout.learn(last, bytes, start..at, Crossing { nesting, next });
        Ok((gap, at))
    }

    /// Goes over a member's name, if it has one, to its value, and says what is wanted of it.
    fn member(
        &self,
        bytes: &[u8],
        at: &mut usize,
        bracket: Bracket,
        node: Option<NodeId>,
    ) -> Result<Option<NodeId>, Stop> {
        if bracket == Bracket::Array {
            return Ok(None);
        }
        let (key, value) = scan::key(bytes, *at)?;
        *at = value;
        Ok(node.and_then(|node| self.find(node, key)))
    }

    /// What is to become of a value that is not gone into.
    fn wanted(&self, node: Option<NodeId>) -> Next {
        let Some(node) = node else {
            return Next::Skipped;
        };
        let place = self.projection.node(node);
        match place.slot {
            Some(Slot::Fixed(slot)) if place.is_leaf() => Next::Noted(slot as u32),
            _ => Next::Walked(node),
        }
    }

    /// Whether all that is wanted in an object is told by names.
    fn is_told_by_names(&self, node: NodeId) -> bool {
        let place = self.projection.node(node);
        place.slot.is_none() && place.each.is_none() && place.by_index.is_empty()
    }

    /// The record walked last, where `text` has the bytes that it was walked in from `base` on.
    pub(crate) fn record<'a>(&'a self, text: &'a str, base: usize) -> JsonRecord<'a> {
        self.notes.record(text, base)
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

    /// Of a name given twice the last counts, also for what was noted inside the first.
    fn meet(&mut self, node: NodeId) {
        let met_at = std::mem::replace(&mut self.met_at[node.index()], self.record_number);
        if met_at == self.record_number {
            self.clear_inside(node);
        }
    }

    /// Walks over a wanted value, or one with wanted values inside.
    fn value(&mut self, bytes: &[u8], at: usize, node: NodeId, depth: usize) -> Found {
        let place = self.projection.node(node);
        let (slot, each, is_leaf) = (place.slot, place.each, place.is_leaf());
        if !is_leaf {
            self.meet(node);
        }
        let (kind, end) = match byte(bytes, at)? {
            b'{' if !is_leaf => (Kind::Object, self.object(bytes, at, node, depth + 1)?),
            b'[' if !is_leaf => (Kind::Array, self.array(bytes, at, node, depth + 1)?),
            _ => whole_value(bytes, at, depth)?,
        };
        if let Some(slot) = slot {
            self.notes.note_whole(slot, kind, at, end);
        }
        // What should be an array but is one value counts as an array of it.
        if let Some(each) = each.filter(|_| !matches!(kind, Kind::Array | Kind::Missing)) {
            self.notes.begin_element();
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
                self.notes.begin_element();
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

    /// Forgets what was noted inside a place.
    fn clear_inside(&mut self, node: NodeId) {
        if self.projection.node(node).each.is_some() {
            self.notes.clear_elements();
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
                self.notes.forget(slot);
            }
            self.clear_inside(inside);
        }
    }
}

/// The kind of a value that is taken as a whole, and the byte after it.
#[inline(always)]
fn whole_value(bytes: &[u8], at: usize, depth: usize) -> Result<(Kind, usize), Stop> {
    Ok(match byte(bytes, at)? {
        b'"' => {
            let (end, escaped) = string(bytes, at + 1)?;
            (if escaped { Kind::EscapedString } else { Kind::String }, end + 1)
        }
        b'-' | b'0'..=b'9' => match few_digits(bytes, at) {
            Some(end) => (Kind::FewDigits, end),
            None => (Kind::Number, number(bytes, at)?),
        },
        b't' => (Kind::True, literal(bytes, at, b"true")?),
        b'f' => (Kind::False, literal(bytes, at, b"false")?),
        b'n' => (Kind::Missing, literal(bytes, at, b"null")?),
        b'{' => (Kind::Object, skip_value(bytes, at, depth)?),
        b'[' => (Kind::Array, skip_value(bytes, at, depth)?),
        _ => return syntax(at, "a value was expected"),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::{Record as _, Value};

    fn walked(paths: &[&str], text: &str) -> (usize, Vec<Vec<String>>) {
        let mut projection = Projection::empty();
        let slots: Vec<Slot> =
            paths.iter().map(|path| projection.add(&path.parse().unwrap())).collect();
        let mut walker = Walker::new(projection);
        assert_eq!(walker.walk(text.as_bytes(), 0), Ok(text.len()), "{text}");
        let record = walker.record(text, 0);
        let rows = record.elements().max(1);
        let shown = |value: Value<'_>| match value {
            Value::Missing => "-".into(),
            Value::Text(text) => text.decode(&mut String::new()).unwrap().to_owned(),
            Value::Number(text) | Value::Array(text) | Value::Object(text) => text.to_owned(),
            Value::Bool(value) => value.to_string(),
            other => panic!("JSON has no {other:?}"),
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

    const PATHS: [&str; 6] = ["a", "b.c", "b.d.e", "list[].x", "tags", "b.l[1]"];

    fn walker() -> Walker {
        let mut projection = Projection::empty();
        for path in PATHS {
            projection.add(&path.parse().unwrap());
        }
        Walker::new(projection)
    }

    /// What a walk found; nothing where it failed.
    fn found(walker: &mut Walker, bytes: &[u8], at: usize) -> (Found, Option<Notes>) {
        let end = walker.walk(bytes, at);
        let (slots, _) = walker.projection.slots();
        (end, end.is_ok().then(|| walker.notes.clone().without_unread(slots)))
    }

    /// A walker that learns from all texts must find in each what a new one finds, whatever order it
    /// expects members in, also where it tries that anew, and whatever is `before` each in the bytes.
    fn check_learning(before: &[u8], texts: &[Vec<u8>]) {
        for (in_any_order, record_number) in [(false, 0), (true, 0), (false, TRIED_EVERY - 6)] {
            check_walker(Walker { in_any_order, record_number, ..walker() }, before, texts);
        }
    }

    fn check_walker(mut learning: Walker, before: &[u8], texts: &[Vec<u8>]) {
        for text in texts {
            // What stands behind a record is not part of it, but lets it be read in whole blocks.
            let padding =
                b"\n{\"padding\":\"of more than one block, and more than one word of four\"}";
            let padded = [before, text, padding].concat();
            for (bytes, at) in [(text, 0), (&padded, before.len())] {
                let strict = found(&mut walker(), bytes, at);
                assert_eq!(
                    found(&mut learning, bytes, at),
                    strict,
                    "{}",
                    String::from_utf8_lossy(bytes)
                );
            }
            let valid = serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok();
            let whole = learning.walk(text, 0) == Ok(text.trim_ascii_end().len());
            if text.starts_with(b"{") && std::str::from_utf8(text).is_ok() {
                assert_eq!(whole, valid, "{}", String::from_utf8_lossy(text));
            }
        }
    }

    const BLANKS: &str = "                                                            ";

    fn json_value() -> impl Strategy<Value = String> {
        let scalar = prop_oneof![
            "-?(0|[1-9][0-9]{0,18})",
            "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?",
            "\"([ -!#-\\[\\]-~é€]|\\\\[nt\"/]|\\\\u00e9){0,20}\"",
            "\"[a-z]{30,70}\"",
            "\"[a-z]{1,1100}\\\\?\"",
            Just("\"\"".to_owned()),
            Just("true".to_owned()),
            Just("false".to_owned()),
            Just("null".to_owned()),
        ];
        scalar.prop_recursive(4, 24, 5, |inner| {
            let short = prop::sample::select(vec![
                "a", "A", "b", "c", "d", "e", "x", "l", "list", "tags", "other", "\\u0061", "é",
            ]);
            // With quotes, comma and colon about as long as a block or a word
            let name = prop_oneof![
                8 => short.prop_map(str::to_owned),
                1 => (10..18_usize).prop_map(|length| "n".repeat(length)),
                1 => (57..63_usize).prop_map(|length| "n".repeat(length)),
            ];
            let blank = prop::sample::select(vec!["", "", " ", "\n  ", BLANKS]);
            let member = (name, blank.clone(), inner.clone())
                .prop_map(|(name, blank, value)| format!("{blank}\"{name}\":{blank}{value}"));
            prop_oneof![
                3 => prop::collection::vec(member, 0..6).prop_map(|all| format!("{{{}}}", all.join(","))),
                1 => (prop::collection::vec(inner, 0..4), blank)
                    .prop_map(|(all, blank)| format!("[{}]", all.join(&format!(",{blank}")))),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_was_learnt_never_changes_what_is_found(
            values in prop::collection::vec(json_value(), 1..8),
            before in "[a\"\\\\\n]{0,100}",
            order in prop::collection::vec(any::<prop::sample::Index>(), 1..24),
            damages in prop::collection::vec(
                (any::<prop::sample::Index>(), prop::option::of(any::<u8>()), any::<bool>()),
                0..8,
            ),
        ) {
            let texts = order.iter().enumerate().map(|(number, index)| {
                let mut text = index.get(&values).clone().into_bytes();
                if let Some((place, byte, is_structure)) = damages.get(number) {
                    let is_hit = |at: &usize| !is_structure || b",:{}[]\"".contains(&text[*at]);
                    let hit: Vec<usize> = (0..text.len()).filter(is_hit).collect();
                    let at = if hit.is_empty() { place.index(text.len()) } else { *place.get(&hit) };
                    match byte {
                        Some(byte) => text[at] = *byte,
                        None => { text.remove(at); }
                    }
                }
                text
            });
            let objects = texts.filter(|text| text.starts_with(b"{"));
            check_learning(before.as_bytes(), &objects.collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_comma_is_needed_behind_a_value_only() {
        let known = r#"{"b":{"c":1,"d":2},"a":[1,2]}"#;
        for broken in [
            r#"{"b":{"c":1"c":2},"a":[1,2]}"#,
            r#"{"b":{,"c":1,"d":2},"a":[1,2]}"#,
            r#"{"b":{"c":1,"d":2}"a":[1,2]}"#,
            r#"{"b":{"c":1,"d":2},"a":[,1,2]}"#,
            r#"{,"b":{"c":1,"d":2},"a":[1,2]}"#,
        ] {
            check_learning(b"", &[known.into(), known.into(), broken.into(), broken.into()]);
        }
    }

    #[test]
    fn what_nobody_reads_is_never_taken_for_what_is_read() {
        let text = |unread: &str| format!(r#"{{"b":{{"l":[1,2],"c":3}},"a":"read","z":{unread}}}"#);
        for unread in ["4", "4.5", "\"four\"", "\"\\u0034\"", "null", "[4]"] {
            check_learning(b"", &vec![text(unread).into_bytes(); 8]);
        }
    }

    #[test]
    fn a_gap_may_be_as_long_as_a_word() {
        for length in 50..70 {
            let text = format!(r#"{{"a":"x","{}":"unread","tags":"y"}}"#, "n".repeat(length));
            check_learning(b"", &vec![text.into_bytes(); 8]);
        }
    }

    #[test]
    fn names_that_are_data_do_not_end_learning_elsewhere() {
        let text =
            |n: u64| format!(r#"{{"a":{n},"map":{{"k{n}":{n},"q{n}":[{n}]}},"b":{{"c":"x"}}}}"#);
        let texts: Vec<_> = (0..2000).map(|n| text(n).into_bytes()).collect();
        check_learning(b"", &texts);
    }

    #[test]
    fn names_match_ignoring_case_in_every_script() {
        assert_eq!(walked(&["größe"], r#"{"GRÖSSE":0,"GRÖßE":1}"#).1, [["1"]]);
        assert_eq!(walked(&["user"], r#"{"\u0055ser":1}"#).1, [["1"]]);
    }
}
