//! What stands in quotes or double braces: strings, symbols, clobs and blobs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::cursor::is_white_space;
use super::{Parsed, Parser, Stop};
use crate::fault::RecordFault;
use crate::json::write;

pub(super) const LONG: &[u8] = b"'''";

impl Parser<'_> {
    /// A string or symbol in quotes of one character.
    pub(super) fn short_string(&mut self, quote: u8) -> Parsed<()> {
        self.out.push('"');
        self.string_body(if quote == b'"' { b"\"" } else { b"'" }, &mut None)?;
        self.out.push('"');
        Ok(())
    }

    /// A string in triple quotes, and those that follow it, which are the same string.
    pub(super) fn long_string(&mut self) -> Parsed<()> {
        self.out.push('"');
        loop {
            self.string_body(LONG, &mut None)?;
            let end = self.at;
            self.skip_blank()?;
            if !self.has(LONG)? {
                self.at = end;
                break;
            }
        }
        self.out.push('"');
        Ok(())
    }

    /// Reads from an opening to a closing quote. What stands between goes to the output, or to
    /// `clob` if it is there.
    fn string_body(&mut self, quote: &[u8], clob: &mut Option<Vec<u8>>) -> Parsed<()> {
        self.at += quote.len();
        loop {
            let special = |c| matches!(c, b'"' | b'\'' | b'\\' | 0..0x20);
            let rest = &self.bytes[self.at..];
            let run = rest.iter().position(|c| special(*c)).ok_or(Stop::End)?;
            self.plain(&rest[..run], clob)?;
            self.at += run;
            if rest[run] == quote[0] && self.has(quote)? {
                self.at += quote.len();
                return Ok(());
            }
            match rest[run] {
                b'\\' => self.escape(clob)?,
                b'\r' | b'\n' if quote == LONG => {
                    self.line_break()?;
                    self.plain(b"\n", clob)?;
                }
                b'"' | b'\'' | b'\t' | 0x0b | 0x0c => {
                    self.plain(&rest[run..=run], clob)?;
                    self.at += 1;
                }
                _ => return self.broken("a control character inside quotes"),
            }
        }
    }

    /// Passes over a line break, of which one may be of two characters.
    fn line_break(&mut self) -> Parsed<()> {
        self.at += if self.has(b"\r\n")? { 2 } else { 1 };
        Ok(())
    }

    fn plain(&mut self, run: &[u8], clob: &mut Option<Vec<u8>>) -> Parsed<()> {
        match clob {
            Some(clob) if run.is_ascii() => clob.extend_from_slice(run),
            Some(_) => return self.broken("a clob holds more than ASCII"),
            None => match simdutf8::basic::from_utf8(run) {
                Ok(text) => write::escape(self.out, text),
                Err(_) => {
                    self.fault.get_or_insert(RecordFault::NotUtf8);
                }
            },
        }
        Ok(())
    }

    fn escape(&mut self, clob: &mut Option<Vec<u8>>) -> Parsed<()> {
        let Some(escape) = self.peek_at(1)? else {
            return Err(Stop::End);
        };
        let digits = match escape {
            b'x' => 2,
            b'u' if clob.is_none() => 4,
            b'U' if clob.is_none() => 8,
            b'\r' | b'\n' => {
                self.at += 1;
                return self.line_break();
            }
            _ => 0,
        };
        let code = match escape {
            b'0' => 0,
            b'a' => 7,
            b'b' => 8,
            b't' => 9,
            b'n' => 10,
            b'v' => 11,
            b'f' => 12,
            b'r' => 13,
            b'"' | b'\'' | b'?' | b'\\' | b'/' => escape.into(),
            _ if digits > 0 => self.hexadecimal(digits)?,
            _ => return self.broken("an unknown escape"),
        };
        if let Some(clob) = clob {
            clob.push(code as u8);
        } else if let Some(character) = char::from_u32(code) {
            write::escape(self.out, character.encode_utf8(&mut [0; 4]));
        } else if let 0xd800..0xe000 = code {
            // Half of a surrogate pair; the other may follow, and in JSON the two are one.
            write::unit(self.out, code as u16);
        } else {
            return self.broken("an escape beyond Unicode");
        }
        self.at += 2 + digits;
        Ok(())
    }

    /// The number that so many digits behind an escape's letter are.
    fn hexadecimal(&self, digits: usize) -> Parsed<u32> {
        let rest = &self.bytes[self.at + 2..];
        let Some(digits) = rest.get(..digits) else {
            return Err(Stop::End);
        };
        let number = digits
            .iter()
            .try_fold(0_u32, |number, digit| Some(number << 4 | char::from(*digit).to_digit(16)?));
        number.map_or_else(|| self.broken("an escape without its hexadecimal digits"), Ok)
    }

    /// Reads a blob or a clob.
    pub(super) fn lob(&mut self) -> Parsed<()> {
        self.at += 2;
        self.skip_white_space()?;
        if self.need()? == b'"' || self.has(LONG)? {
            self.clob()?;
        } else {
            self.blob()?;
        }
        self.skip_white_space()?;
        self.need()?;
        if !self.has(b"}}")? {
            return self.broken("`}}` was expected");
        }
        self.at += 2;
        Ok(())
    }

    pub(super) fn clob(&mut self) -> Parsed<()> {
        let mut clob = Some(Vec::new());
        if self.need()? == b'"' {
            self.string_body(b"\"", &mut clob)?;
        } else {
            while self.has(LONG)? {
                self.string_body(LONG, &mut clob)?;
                self.skip_white_space()?;
            }
        }
        write::text_or_base64(self.out, &clob.unwrap_or_default());
        Ok(())
    }

    pub(super) fn blob(&mut self) -> Parsed<()> {
        let end = self.end_of(|c| c == b'}')?;
        let mut base64 = self.bytes[self.at..self.at + end].to_vec();
        base64.retain(|c| !is_white_space(*c));
        let Ok(blob) = STANDARD.decode(&base64) else {
            return self.broken("a blob is no Base64");
        };
        write::base64(self.out, &blob);
        self.at += end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::ion::text::Framer;
    use crate::values::tests::rendered;

    fn json(text: &[u8]) -> Option<String> {
        let found = rendered(Framer::default(), text, text.len());
        assert_eq!(rendered(Framer::default(), text, 1), found);
        found.ok().map(|values| values.concat())
    }

    #[test]
    fn quoted_text_is_a_json_string() {
        for (text, expected) in [
            (r#""""#, r#""""#),
            ("''", r#""""#),
            (r#""a'b\"c""#, r#""a'b\"c""#),
            (r#"'a"\'b'"#, r#""a\"'b""#),
            ("'''a''b\n\r\n\r'c''' /**/ '''d'''", r#""a''b\n\n\n'cd""#),
            (r#""\0\a\b\t\n\f\r\v""#, r#""\u0000\u0007\u0008\t\n\u000c\r\u000b""#),
            (r#""\?\/\\\'""#, r#""?/\\'""#),
            (r#""\xe9\u00e9\U0001f600\ud83d\ude00""#, r#""éé😀\ud83d\ude00""#),
            ("\"a\\\nb\\\r\nc\\\rd\"", r#""abcd""#),
            ("\"\t\u{b}é\"", r#""\t\u000bé""#),
        ] {
            assert_eq!(json(text.as_bytes()).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn text_that_is_no_utf8_costs_its_value_alone() {
        assert_eq!(json(b"[\"\xff\", 1]").as_deref(), Some("not_utf8"));
        assert_eq!(json(b"\"\xff\" {}").as_deref(), Some("not_utf8{}"));
    }

    #[test]
    fn what_is_no_quoted_text_is_refused() {
        for text in [
            "\"",
            "'a",
            "'''a''",
            "\"\n\"",
            "'\r'",
            "\"\0\"",
            r#""\d""#,
            r#""\xg0""#,
            r#""\u12""#,
            r#""\U00110000""#,
            r#""\UFFFFFFFF""#,
        ] {
            assert_eq!(json(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn clobs_are_text_where_they_can_be_and_blobs_base64() {
        for (text, expected) in [
            (r#"{{ "a\x41\"" }}"#, r#""aA\"""#),
            ("{{'''a''' '''b\r\n'''}}", r#""ab\n""#),
            (r#"{{"\xe9"}}"#, r#""6Q==""#),
            (r#"{{"\xc3\xa9"}}"#, r#""é""#),
            ("{{}}", r#""""#),
            ("{{ aG k=\n }}", r#""aGk=""#),
        ] {
            assert_eq!(json(text.as_bytes()).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "{{a}}",
            "{{aGk}}",
            "{{aGk=}",
            "{{aGk=} }",
            "{{aGk= /**/}}",
            "{{\"é\"}}",
            r#"{{"\u00e9"}}"#,
            r#"{{"a" "b"}}"#,
            "{{'a'}}",
            "{{'''a''' /**/ '''b'''}}",
            "{ {} }",
        ] {
            assert_eq!(json(text.as_bytes()), None, "{text}");
        }
    }
}
