//! Ion text: a parser without recursion, for a value's end can only be found by reading all of it.

mod cursor;
mod number;
mod quoted;
mod values;

use super::Fault;
use super::symbols::{BAD_TABLE, Symbols};
use crate::fault::RecordFault;
use crate::frame::Frame;
use crate::values::{Broken, ValueFramer};
use cursor::is_symbol_start;

/// Why parsing ends.
#[derive(Debug)]
enum Stop {
    /// The bytes end inside the value
    End,
    Broken(Broken),
}

type Parsed<T> = Result<T, Stop>;

/// What a struct, a list or an S-expression is closed with.
type Closing = u8;

/// What stands at the top of a stream.
#[derive(Debug, PartialEq, Eq)]
enum Item {
    Value,
    /// A struct that defines symbols
    Table,
    /// A version marker
    Version,
}

/// What a value turned out to be.
#[derive(Debug, PartialEq, Eq)]
enum Begun {
    /// It is written as a whole
    Whole,
    /// A container was opened
    Container,
}

/// Finds the values of one file.
#[derive(Debug, Default)]
pub(super) struct Framer {
    symbols: Symbols,
    /// The containers that a value is in; kept so that its memory is used again
    open: Vec<Closing>,
}

impl ValueFramer for Framer {
    const NAMES: (&'static str, &'static str) = ("Ion", "value");

    fn next(
        &mut self,
        bytes: &[u8],
        at: usize,
        last: bool,
        object: &mut String,
    ) -> Result<Frame, Broken> {
        let mut at = at;
        loop {
            object.clear();
            self.open.clear();
            let (symbols, open) = (&self.symbols, &mut self.open);
            let mut parser = Parser { bytes, at, last, out: object, symbols, open, fault: None };
            let stopped = match parser.skip_blank().and_then(|()| parser.peek()) {
                Ok(None) => return Ok(Frame::Done),
                Ok(Some(_)) => {
                    at = parser.at;
                    parser.item()
                }
                Err(stop) => {
                    at = parser.at;
                    Err(stop)
                }
            };
            let (end, fault) = (parser.at, parser.fault);
            self.symbols.done(if stopped.is_ok() { end - at } else { 0 });
            match (stopped, fault) {
                (Err(Stop::End), _) if last => return Err(Broken::unfinished(at)),
                (Err(Stop::End), _) => return Ok(Frame::More(at)),
                (Err(Stop::Broken(broken)), _) => return Err(broken),
                (Ok(Item::Version), _) => self.symbols.reset(),
                (Ok(Item::Table), None) => {
                    self.symbols.define(object).map_err(|fault| match fault {
                        Fault::Broken(reason) => Broken { at, reason },
                        Fault::Record(_) => Broken::new(at, BAD_TABLE),
                    })?;
                }
                (Ok(Item::Table), Some(_)) => return Err(Broken::new(at, BAD_TABLE)),
                (Ok(Item::Value), Some(fault)) => {
                    object.clear();
                    return Ok(Frame::Fault(at..end, fault));
                }
                (Ok(Item::Value), None) if object.starts_with('{') => {
                    return Ok(Frame::Record(at..end));
                }
                (Ok(Item::Value), None) => {
                    return Ok(Frame::Fault(at..end, RecordFault::NotAnObject));
                }
            }
            at = end;
        }
    }
}

/// Whether a file's first bytes are Ion text and no JSON: a version marker, an annotated struct, or
/// a struct whose first name is a symbol.
pub(super) fn looks_like(head: &[u8]) -> bool {
    let (mut out, mut open) = (String::new(), Vec::new());
    let symbols = &Symbols::default();
    let mut parser = Parser {
        bytes: head,
        at: 0,
        last: false,
        out: &mut out,
        symbols,
        open: &mut open,
        fault: None,
    };
    parser.begins_as_no_json().unwrap_or(false)
}

/// Reads one value at the top, and writes it as JSON.
struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Whether nothing follows the bytes
    last: bool,
    out: &'a mut String,
    symbols: &'a Symbols,
    open: &'a mut Vec<Closing>,
    /// What makes the value unfit to be a record, although it is Ion
    fault: Option<RecordFault>,
}

impl Parser<'_> {
    fn begins_as_no_json(&mut self) -> Parsed<bool> {
        self.skip_blank()?;
        let mut annotated = false;
        loop {
            match self.need()? {
                b'\'' => self.short_string(b'\'')?,
                c if is_symbol_start(c) => {
                    if self.identifier()? == b"$ion_1_0" {
                        return Ok(true);
                    }
                }
                _ => break,
            }
            self.skip_blank()?;
            if !self.has(b"::")? {
                return Ok(false);
            }
            annotated = true;
            self.at += 2;
            self.skip_blank()?;
        }
        if self.need()? != b'{' || self.has(b"{{")? {
            return Ok(false);
        }
        self.at += 1;
        self.skip_blank()?;
        if annotated || self.need()? == b'"' {
            return Ok(annotated);
        }
        self.name()?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::tests::rendered;

    fn values(text: &str) -> Result<Vec<String>, String> {
        let found = rendered(Framer::default(), text.as_bytes(), text.len());
        assert_eq!(rendered(Framer::default(), text.as_bytes(), 1), found, "{text}");
        found
    }

    #[track_caller]
    fn json(text: &str, expected: &str) {
        assert_eq!(values(text), Ok(vec![expected.to_owned()]), "{text}");
    }

    #[test]
    fn containers_nest_and_may_end_with_a_comma() {
        json("{a:1,'b c':[2,],\"d\":(e [f]),}", r#"{"a":1,"b c":[2],"d":["e",["f"]]}"#);
        json("{/*{*/a//}\n:/**/1}", r#"{"a":1}"#);
        json("{ '''a''' '''b''' : {} }", r#"{"ab":{}}"#);
        json("()", "[]");
        json("{$4:$0,$0:1}", r#"{"name":null,"$0":1}"#);
        for broken in [
            "[,]",
            "[1,,2]",
            "{,}",
            "{a}",
            "{a:}",
            "{a::b}",
            "{a:1 b:2}",
            "{1:2}",
            "(1,2)",
            "[1 2]",
            "[1)",
            "]",
            "}",
            "a::",
            "[a::]",
            "{a:b::}",
            ",",
        ] {
            assert!(values(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn top_level_values_need_no_line_of_their_own() {
        let text = "{}{}1 a b::{} \"x\"'y'[]";
        let expected = ["{}", "{}", "1", "\"a\"", "{}", "\"x\"", "\"y\"", "[]"];
        assert_eq!(values(text).unwrap(), expected);
        assert_eq!(values(" // only a comment").unwrap(), [""; 0]);
        assert!(values("{} /* no end").is_err());
    }

    #[test]
    fn nulls_and_keywords_are_no_symbols() {
        assert_eq!(values("null null.null null.struct null.sexp").unwrap(), ["null"; 4]);
        assert_eq!(
            values("true false nan +inf -inf").unwrap(),
            ["true", "false", "\"NaN\"", "\"Infinity\"", "\"-Infinity\""]
        );
        json("nullify", "\"nullify\"");
        json("'null'", "\"null\"");
        json("'true'::1", "1");
        for broken in ["null.x", "null.", "null.struct_", "true::1", "+infinity", "+inf1"] {
            assert!(values(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn operators_are_symbols_inside_s_expressions() {
        json("(a+b)", r#"["a","+","b"]"#);
        json("(a -1 - 1 --1 -a)", r#"["a",-1,"-",1,"--",1,"-","a"]"#);
        json("(+inf -inf -infx +//c\n)", r#"["Infinity","-Infinity","-","infx","+"]"#);
        json("(a.b*/**/)", r#"["a",".","b","*"]"#);
        assert!(values("[+]").is_err() && values("+").is_err() && values("[a.b]").is_err());
    }

    #[test]
    fn numbers_end_where_something_else_begins() {
        json("[1,2//\n,3/**/]", "[1,2,3]");
        json("{a:2024-01-01T00:00Z,b:-5}", r#"{"a":"2024-01-01T00:00Z","b":-5}"#);
        for broken in ["1/2", "(1+2)", "12a", "[2024-01-01x]", "2024-02-30", "1::2"] {
            assert!(values(broken).is_err(), "{broken}");
        }
    }
}
