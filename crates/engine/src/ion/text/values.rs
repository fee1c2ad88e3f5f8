//! Values and what they are nested in.

use super::cursor::{is_operator, is_stop, is_symbol_start};
use super::number::write_number;
use super::{Begun, Closing, Item, Parsed, Parser};
use crate::fault::RecordFault;
use crate::ion::symbols::TABLE;
use crate::ion::timestamp;
use crate::json::{MAX_DEPTH, write};
use crate::values::MAX_OBJECT;

const NOT_A_NUMBER: &str = "this is neither a number nor a timestamp";

impl Parser<'_> {
    pub(super) fn item(&mut self) -> Parsed<Item> {
        let start = self.at;
        let mut defines = None;
        let mut item = None;
        loop {
            self.skip_blank()?;
            let named = self.open.last() == Some(&b'}') && self.need()? != b'}';
            if named {
                self.name()?;
            } else if self.closes()? {
                if self.value_ends()? {
                    break;
                }
                continue;
            }
            let begun = loop {
                let mark = self.out.len();
                if let Some(begun) = self.begin()? {
                    break begun;
                }
                // It was an annotation.
                defines.get_or_insert_with(|| self.out[mark..].trim_matches('"') == TABLE);
                self.out.truncate(mark);
                self.skip_blank()?;
            };
            if self.open.is_empty() && defines.is_none() && self.is_version(start)? {
                return Ok(Item::Version);
            }
            // What is inside says nothing of the whole.
            item.get_or_insert(match (defines, self.open.as_slice()) {
                (Some(true), [b'}']) => Item::Table,
                _ => Item::Value,
            });
            if begun == Begun::Whole && self.value_ends()? {
                break;
            }
        }
        Ok(item.unwrap_or(Item::Value))
    }

    /// Whether what was read since `start` is a version marker.
    fn is_version(&self, start: usize) -> Parsed<bool> {
        let token = &self.bytes[start..self.at];
        let Some(version) = token.strip_prefix(b"$ion_") else {
            return Ok(false);
        };
        if version == b"1_0" {
            return Ok(true);
        }
        let is_version = version.contains(&b'_')
            && version
                .split(|c| *c == b'_')
                .all(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit));
        if is_version { self.broken("only version 1.0 of Ion is read") } else { Ok(false) }
    }

    /// Closes the innermost container if its end is here.
    fn closes(&mut self) -> Parsed<bool> {
        let Some(closing) = self.open.last().copied() else {
            return Ok(false);
        };
        if self.need()? != closing {
            return Ok(false);
        }
        self.at += 1;
        self.open.pop();
        self.out.push(if closing == b'}' { '}' } else { ']' });
        Ok(true)
    }

    /// Reads on behind a value to where the next one may begin; true if it was all of the value at
    /// the top.
    fn value_ends(&mut self) -> Parsed<bool> {
        self.bound_output()?;
        loop {
            let Some(closing) = self.open.last().copied() else {
                return Ok(true);
            };
            if closing == b')' {
                return Ok(false);
            }
            self.skip_blank()?;
            if self.need()? == b',' {
                self.at += 1;
                return Ok(false);
            }
            if !self.closes()? {
                return self.broken("`,` or the end of a list or struct was expected");
            }
        }
    }

    /// Keeps the output from growing without bound.
    fn bound_output(&mut self) -> Parsed<()> {
        if self.fault.is_some() {
            self.out.clear();
        } else if self.out.len() > MAX_OBJECT {
            return self.broken("it is longer than 64 MiB as JSON");
        }
        Ok(())
    }

    /// Reads a field's name and its colon.
    pub(super) fn name(&mut self) -> Parsed<()> {
        write::separate(self.out);
        match self.need()? {
            b'"' => self.short_string(b'"')?,
            b'\'' if self.has(b"'''")? => self.long_string()?,
            b'\'' => self.short_string(b'\'')?,
            c if is_symbol_start(c) => {
                let token = self.identifier()?;
                let symbol = symbol_number(token).map(|number| self.symbols.get(number));
                match symbol.transpose().map_err(|fault| self.stop(fault))?.flatten() {
                    Some(name) => self.out.push_str(name),
                    // One without text is called by its number.
                    None => self.quoted(token),
                }
            }
            _ => return self.broken("a field's name was expected"),
        }
        self.skip_blank()?;
        if self.need()? != b':' || self.has(b"::")? {
            return self.broken("`:` was expected behind a field's name");
        }
        self.at += 1;
        self.out.push(':');
        self.bound_output()?;
        self.skip_blank()
    }

    /// Begins a value; none if it is an annotation, which is then at the end of the output.
    fn begin(&mut self) -> Parsed<Option<Begun>> {
        let in_s_expression = self.open.last() == Some(&b')');
        let before = self.out.len();
        write::separate(self.out);
        let start = self.out.len();
        match self.need()? {
            b'{' if self.has(b"{{")? => self.lob()?,
            b'{' => return Ok(Some(self.container('{', b'}'))),
            b'[' => return Ok(Some(self.container('[', b']'))),
            b'(' => return Ok(Some(self.container('[', b')'))),
            b'"' => self.short_string(b'"')?,
            b'\'' if self.has(b"'''")? => self.long_string()?,
            b'\'' => {
                self.short_string(b'\'')?;
                return self.annotation_or_value(before, start, false);
            }
            b'0'..=b'9' => self.number()?,
            b'-' if self.is_negative_number()? => self.number()?,
            sign @ (b'+' | b'-') if self.is_infinity()? => {
                self.at += 4;
                self.out.push_str(if sign == b'-' { "\"-Infinity\"" } else { "\"Infinity\"" });
            }
            c if is_symbol_start(c) => {
                let is_keyword = self.symbol()?;
                return self.annotation_or_value(before, start, is_keyword);
            }
            c if in_s_expression && is_operator(c) => self.operator()?,
            _ => return self.broken("a value was expected"),
        }
        Ok(Some(Begun::Whole))
    }

    /// Says whether the symbol just written is an annotation; if so, only it stays behind `before`.
    fn annotation_or_value(
        &mut self,
        before: usize,
        start: usize,
        is_keyword: bool,
    ) -> Parsed<Option<Begun>> {
        let end = self.at;
        self.skip_blank()?;
        if !self.has(b"::")? {
            self.at = end;
            return Ok(Some(Begun::Whole));
        }
        if is_keyword {
            return self.broken("a keyword cannot be an annotation");
        }
        self.at += 2;
        self.out.replace_range(before..start, "");
        Ok(None)
    }

    pub(super) fn container(&mut self, opening: char, closing: Closing) -> Begun {
        self.at += 1;
        self.out.push(opening);
        self.open.push(closing);
        if self.open.len() > MAX_DEPTH {
            self.fault.get_or_insert(RecordFault::TooDeep);
            self.out.clear();
        }
        Begun::Container
    }

    /// Reads a symbol without quotes, or a keyword: says which.
    pub(super) fn symbol(&mut self) -> Parsed<bool> {
        let token = self.identifier()?;
        match token {
            b"true" => self.out.push_str("true"),
            b"false" => self.out.push_str("false"),
            b"nan" => self.out.push_str("\"NaN\""),
            b"null" => {
                if self.peek()? == Some(b'.') && self.null_type()?.is_none() {
                    return self.broken("a null is of an unknown type");
                }
                self.out.push_str("null");
            }
            _ => {
                match symbol_number(token) {
                    Some(number) => {
                        let symbol = self.symbols.get(number).map_err(|fault| self.stop(fault))?;
                        self.out.push_str(symbol.unwrap_or("null"));
                    }
                    None => self.quoted(token),
                }
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads the type behind `null`, with its dot.
    fn null_type(&mut self) -> Parsed<Option<()>> {
        const TYPES: [&[u8]; 13] = [
            b"null",
            b"bool",
            b"int",
            b"float",
            b"decimal",
            b"timestamp",
            b"symbol",
            b"string",
            b"clob",
            b"blob",
            b"list",
            b"sexp",
            b"struct",
        ];
        self.at += 1;
        Ok(TYPES.contains(&self.identifier()?).then_some(()))
    }

    /// Appends an identifier, which needs no escapes.
    pub(super) fn quoted(&mut self, identifier: &[u8]) {
        self.out.push('"');
        self.out.extend(identifier.iter().map(|c| char::from(*c)));
        self.out.push('"');
    }

    /// Reads a symbol of an S-expression that is made of punctuation.
    fn operator(&mut self) -> Parsed<()> {
        let mut end = self.end_of(|c| !is_operator(c))?;
        let token = &self.bytes[self.at..self.at + end];
        // A comment may follow at once.
        if let Some(comment) = token.windows(2).position(|pair| matches!(pair, b"//" | b"/*")) {
            end = comment.max(1);
        }
        let token = self.bytes[self.at..self.at + end].iter().map(|c| char::from(*c));
        self.out.push('"');
        self.out.extend(token);
        self.out.push('"');
        self.at += end;
        Ok(())
    }

    pub(super) fn number(&mut self) -> Parsed<()> {
        let end = self.end_of(is_stop)?;
        let Ok(token) = str::from_utf8(&self.bytes[self.at..self.at + end]) else {
            return self.broken(NOT_A_NUMBER);
        };
        let is_time = matches!(token.as_bytes(), [year @ .., _] if year.len() >= 4
            && year[..4].iter().all(u8::is_ascii_digit)
            && matches!(token.as_bytes()[4], b'T' | b'-'));
        if is_time {
            timestamp::write_text(self.out, token).map_err(|fault| self.stop(fault))?;
        } else if write_number(self.out, token).is_none() {
            return self.broken(NOT_A_NUMBER);
        }
        self.at += end;
        // A number ends at a comment, but not at any other `/`.
        if self.peek()? == Some(b'/') && !(self.has(b"//")? || self.has(b"/*")?) {
            return self.broken(NOT_A_NUMBER);
        }
        Ok(())
    }

    fn is_negative_number(&self) -> Parsed<bool> {
        Ok(self.peek_at(1)?.is_some_and(|c| c.is_ascii_digit()))
    }

    fn is_infinity(&self) -> Parsed<bool> {
        let named = self.has(b"+inf")? || self.has(b"-inf")?;
        Ok(named && self.peek_at(4)?.is_none_or(is_stop))
    }
}

/// The number of a symbol that is written as `$10`.
fn symbol_number(token: &[u8]) -> Option<u64> {
    let digits = token.strip_prefix(b"$")?;
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| str::from_utf8(digits).ok()?.parse().ok()).map(|n| n.unwrap_or(u64::MAX))
}
