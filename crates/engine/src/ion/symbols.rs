//! The symbols that numbers stand for: the system's own, and those that the stream defines.

use std::cell::Cell;
use std::ops::Range;

use super::Fault;
use crate::json::{self, write};
use crate::value::Value;
use crate::window::MAX_RECORD;

/// What a struct at the top is annotated with if it defines symbols.
pub(super) const TABLE: &str = "$ion_symbol_table";
/// The number of [`TABLE`] itself.
pub(super) const TABLE_NUMBER: u64 = 3;

pub(super) const BAD_TABLE: &str = "its symbol table cannot be read";

const SYSTEM: [&str; 9] = [
    "\"$ion\"",
    "\"$ion_1_0\"",
    "\"$ion_symbol_table\"",
    "\"name\"",
    "\"version\"",
    "\"imports\"",
    "\"symbols\"",
    "\"max_id\"",
    "\"$ion_shared_symbol_table\"",
];

/// As much text as symbols may stand for at any rate.
const HARMLESS: u64 = 256 * 1024 * 1024;
/// How many times the stream's own size they may stand for beyond that.
const MOST_GROWTH: u64 = 250;

/// The symbols defined so far, as JSON strings.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    /// How much text was asked for
    written: Cell<u64>,
    /// The bytes of the values that are done
    read: u64,
    /// How many come from shared tables, which are not at hand: their text is unknown
    imported: u64,
    /// All of the stream's own, run together
    text: String,
    /// Where in it each is; none for one without text
    places: Vec<Option<Range<u32>>>,
}

impl Symbols {
    /// Forgets what the stream defined.
    pub(super) fn reset(&mut self) {
        self.imported = 0;
        self.text.clear();
        self.places.clear();
    }

    /// The symbol of that number as a JSON string; none if its text is unknown.
    pub(super) fn get(&self, number: u64) -> Result<Option<&str>, Fault> {
        let Some(at) = number.checked_sub(1) else {
            return Ok(None);
        };
        let own = at.saturating_sub(SYSTEM.len() as u64);
        if let Some(symbol) = SYSTEM.get(at.min(SYSTEM.len() as u64) as usize) {
            return Ok(Some(symbol));
        }
        let Some(own) = own.checked_sub(self.imported) else {
            return Ok(None);
        };
        let place = usize::try_from(own).ok().and_then(|own| self.places.get(own));
        match place {
            Some(Some(place)) => {
                let symbol = &self.text[place.start as usize..place.end as usize];
                self.count(symbol.len() as u64)?;
                Ok(Some(symbol))
            }
            Some(None) => Ok(None),
            None => Err(Fault::Broken(format!("the symbol ${number} is not defined").into())),
        }
    }

    /// Counts the bytes of a value that is done.
    pub(super) fn done(&mut self, bytes: usize) {
        self.read += bytes as u64;
    }

    /// Ends a stream whose symbols make it many times as large as it is.
    fn count(&self, bytes: u64) -> Result<(), Fault> {
        let written = self.written.get() + bytes;
        self.written.set(written);
        if written > HARMLESS.max(self.read.saturating_mul(MOST_GROWTH)) {
            return Err("with its symbols written out it is more than 250 times as long".into());
        }
        Ok(())
    }

    /// Appends the symbol of that number as a value.
    pub(super) fn write(&self, out: &mut String, number: u64) -> Result<(), Fault> {
        out.push_str(self.get(number)?.unwrap_or("null"));
        Ok(())
    }

    /// Appends the symbol of that number as a field's name; one without text is called as Ion text
    /// does it.
    pub(super) fn write_name(&self, out: &mut String, number: u64) -> Result<(), Fault> {
        match self.get(number)? {
            Some(name) => out.push_str(name),
            None => write::string(out, &format!("${number}")),
        }
        out.push(':');
        Ok(())
    }

    /// Takes over the symbols that a struct defines, which is written as JSON.
    pub(super) fn define(&mut self, table: &str) -> Result<(), Fault> {
        let (mut imports, mut symbols) = (Value::Missing, Value::Missing);
        let mut scratch = String::new();
        for (name, value) in json::members(table) {
            match &*name {
                "imports" => imports = value,
                "symbols" => symbols = value,
                _ => {}
            }
        }
        let appends =
            matches!(imports, Value::Text(text) if text.decode(&mut scratch) == Ok(TABLE));
        if !appends {
            self.reset();
        }
        if let Value::Array(imports) = imports {
            for import in json::elements(imports) {
                self.import(import)?;
            }
        }
        if let Value::Array(symbols) = symbols {
            for symbol in json::elements(symbols) {
                self.add(symbol, &mut scratch)?;
            }
        }
        Ok(())
    }

    /// Leaves room for the symbols of a shared table.
    fn import(&mut self, import: Value<'_>) -> Result<(), Fault> {
        let Value::Object(import) = import else {
            return Ok(());
        };
        let mut named = false;
        let mut most = None;
        let mut scratch = String::new();
        for (name, value) in json::members(import) {
            match (&*name, value) {
                ("name", Value::Text(text)) => {
                    let name = text.decode(&mut scratch).unwrap_or_default();
                    named = !matches!(name, "" | "$ion");
                }
                ("max_id", Value::Number(text)) => most = text.parse::<u32>().ok(),
                _ => {}
            }
        }
        if !named {
            return Ok(());
        }
        let count = most.ok_or("a shared symbol table is imported without its max_id")?;
        self.imported = self.imported.saturating_add(count.into());
        Ok(())
    }

    fn add(&mut self, symbol: Value<'_>, scratch: &mut String) -> Result<(), Fault> {
        let start = self.text.len();
        let mut place = None;
        if let Value::Text(text) = symbol
            && let Ok(text) = text.decode(scratch)
        {
            write::string(&mut self.text, text);
            place = Some(start as u32..self.text.len() as u32);
        }
        self.places.push(place);
        let held = self.text.len() + self.places.len() * size_of::<Option<Range<u32>>>();
        if held > MAX_RECORD {
            return Err("its symbols are more than 16 MiB".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(symbols: &Symbols, number: u64) -> String {
        let mut out = String::new();
        match symbols.write(&mut out, number) {
            Ok(()) => out,
            Err(fault) => format!("{fault:?}"),
        }
    }

    #[test]
    fn numbers_stand_for_the_systems_symbols_and_the_streams() {
        let mut symbols = Symbols::default();
        symbols.define(r#"{"symbols":["a\n",null,3,"b"]}"#).unwrap();
        let all: Vec<_> = [0, 1, 4, 9, 10, 11, 12, 13].map(|n| shown(&symbols, n)).into();
        let system = ["null", r#""$ion""#, r#""name""#, r#""$ion_shared_symbol_table""#];
        assert_eq!(all[..4], system);
        assert_eq!(all[4..], [r#""a\n""#, "null", "null", r#""b""#]);
        assert!(shown(&symbols, 14).contains("$14 is not defined"));
        assert!(symbols.get(u64::MAX).is_err());
    }

    #[test]
    fn a_table_takes_the_place_of_the_last_or_is_added_to_it() {
        let mut symbols = Symbols::default();
        symbols.define(r#"{"symbols":["a"]}"#).unwrap();
        symbols.define(r#"{"symbols":["b"],"imports":"$ion_symbol_table"}"#).unwrap();
        assert_eq!((shown(&symbols, 10), shown(&symbols, 11)), ("\"a\"".into(), "\"b\"".into()));
        symbols.define(r#"{"symbols":["c"]}"#).unwrap();
        assert_eq!(shown(&symbols, 10), "\"c\"");
        assert!(symbols.get(11).is_err());
        symbols.reset();
        assert!(symbols.get(10).is_err());
    }

    #[test]
    fn symbols_of_shared_tables_have_no_text_and_take_no_memory() {
        let mut symbols = Symbols::default();
        let import = r#"{"name":"x","version":1,"max_id":4294967295}"#;
        symbols
            .define(&format!(r#"{{"symbols":["a"],"imports":[{import},{import},{{"name":""}}]}}"#))
            .unwrap();
        assert_eq!(shown(&symbols, 10), "null");
        let first = 10 + 2 * u64::from(u32::MAX);
        assert_eq!(shown(&symbols, first - 1), "null");
        assert_eq!(shown(&symbols, first), "\"a\"");
        assert!(symbols.define(r#"{"imports":[{"name":"x"}]}"#).is_err());
    }

    #[test]
    fn symbols_cannot_pile_up_without_end() {
        let mut symbols = Symbols::default();
        let many = format!(
            r#"{{"symbols":[{}"x"],"imports":"$ion_symbol_table"}}"#,
            "null,".repeat(10_000)
        );
        let defined = (0..200).take_while(|_| symbols.define(&many).is_ok()).count();
        assert!((100..200).contains(&defined), "{defined}");
    }
}
