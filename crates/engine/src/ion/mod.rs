//! Amazon Ion 1.0, as text and binary: the structs at the top of a stream are the records.
//!
//! The readers are this crate's own: they never recurse without a bound, hold one value at a time
//! and take memory only for bytes that are there, whatever a hostile file says.

mod binary;
mod number;
mod symbols;
mod text;
mod timestamp;

use std::borrow::Cow;
use std::io::{self, Read, Write};

use crate::compression::Compression;
use crate::content;
use crate::error::ConvertError;
use crate::fault::RecordFault;
use crate::run::Run;
use crate::values::{self, Values};
use crate::window::Window;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// What begins binary Ion, and names its version.
const VERSION_1_0: [u8; 4] = [0xe0, 1, 0, 0xea];

/// What a value cannot be written for.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    /// The value alone is at fault
    Record(RecordFault),
    /// It is no Ion, and what follows cannot be found
    Broken(Cow<'static, str>),
}

impl From<&'static str> for Fault {
    fn from(reason: &'static str) -> Self {
        Self::Broken(reason.into())
    }
}

/// Converts a file's structs.
pub(crate) fn read<R: Read, W: Write, J: Write>(
    run: &mut Run<'_, W, J>,
    reader: R,
    compression: Compression,
) -> Result<(), ConvertError> {
    let mut values = Values::open(run, reader, compression)?;
    let head = values.head();
    if is_binary(head) {
        return values.convert(binary::Framer::default());
    }
    if let Some(found) = content::not_text(head) {
        return Err(ConvertError::OtherFormat { found, expected: "Ion" });
    }
    if head.starts_with(BYTE_ORDER_MARK) {
        values.skip(BYTE_ORDER_MARK.len());
    }
    values.convert(text::Framer::default())
}

/// Hands on a file's values, see [`values::objects`].
pub(crate) fn objects(
    window: &mut Window<impl Read>,
    take: impl FnMut(Option<&str>, u64) -> bool,
) -> io::Result<bool> {
    if is_binary(window.bytes()) {
        values::objects(window, binary::Framer::default(), take)
    } else {
        values::objects(window, text::Framer::default(), take)
    }
}

/// Whether a file's first bytes are those of binary Ion, or of Ion text that is no JSON.
pub(crate) fn looks_like(head: &[u8]) -> bool {
    head.starts_with(&VERSION_1_0)
        || text::looks_like(head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head))
}

/// Whether the first bytes are those of binary Ion, of whatever version.
fn is_binary(head: &[u8]) -> bool {
    matches!(head, [0xe0, _, _, 0xea, ..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::values::tests::{hex, rendered, whatever_the_bytes};

    /// Made by the Python package amazon.ion, as is [`BINARY`] of the same values.
    const TEXT: &str = r#"$ion_1_0 {user_id:"ué\"1",n:null.struct,t:true,i:-12345678901234567890123,
        f:1.5e+0,d:0.150,big:1.5d+3,ts:2024-02-29T12:30:59.120+01:30,y:2024T,
        utc:2024-02-29T23:59-00:00,sym:purchase,blob:{{AAH/}},clob:{{"abc"}},list:[1,[],{a:2}],
        sexp:(a b),note:x::y::"annotated"} [1,2] {user_id:"u2",sym:purchase,no:nan,inf:-inf}"#;

    const BINARY: &str = "\
        e00100eaeed98183ded587bed287757365725f6964816e81748169816681648362696782747381798375746388\
        70757263686173658373796d84626c6f6284636c6f62846c697374816184736578708162846e6f74658178826e\
        6f83696e66def08a8575c3a922318bdf8c118d3a029d42b64e76714244cb8e483ff80000000000008f53c30096\
        9052820f916b00da0fe8829d8b80bbc3789263c00fe89367c00fe8829d97bb95711496a30001ff979361626398\
        b72101b0d39921029ac47119711b9ced829d9289616e6e6f7461746564b421012102de9b8a8275329571149e48\
        7ffefefefefefefe9f48fff0000000000000";

    const OBJECTS: [&str; 3] = [
        concat!(
            r#"{"user_id":"ué\"1","n":null,"t":true,"i":-12345678901234567890123,"f":1.5,"#,
            r#""d":0.150,"big":1500,"ts":"2024-02-29T12:30:59.120+01:30","y":"2024-01-01","#,
            r#""utc":"2024-02-29T23:59Z","sym":"purchase","blob":"AAH/","clob":"abc","#,
            r#""list":[1,[],{"a":2}],"sexp":["a","b"],"note":"annotated"}"#
        ),
        "[1,2]",
        r#"{"user_id":"u2","sym":"purchase","no":"NaN","inf":"-Infinity"}"#,
    ];

    fn values(bytes: &[u8], step: usize) -> Result<Vec<String>, String> {
        if is_binary(bytes) {
            rendered(binary::Framer::default(), bytes, step)
        } else {
            rendered(text::Framer::default(), bytes, step)
        }
    }

    #[test]
    fn text_and_binary_of_another_library_are_the_same_objects() {
        for step in [1, 7, 1000] {
            assert_eq!(values(TEXT.as_bytes(), step).unwrap(), OBJECTS);
            assert_eq!(values(&hex(BINARY), step).unwrap(), OBJECTS);
        }
    }

    #[test]
    fn a_stream_cut_anywhere_is_refused_or_whole() {
        let binary = hex(BINARY);
        let ends = (0..=binary.len()).filter(|end| values(&binary[..*end], 1000).is_ok()).count();
        // At the beginning, and behind the version, the symbols and each of the values.
        assert_eq!(ends, 6);
        let text = TEXT.as_bytes();
        // Before that, the version is a symbol.
        for end in "$ion_1_0".len()..text.len() {
            if let Ok(values) = values(&text[..end], 1000) {
                assert_eq!(values, OBJECTS[..values.len()], "{end}");
            }
        }
    }

    #[test]
    fn ion_is_told_from_json_and_other_text() {
        for ion in [
            "$ion_1_0\n5",
            "{name: 1}",
            " // comment\n{ 'a b' : 1}",
            "{a:1",
            "x::{}",
            "'a'::y :: {\"b\"",
            "\u{feff}{a:1}",
        ] {
            assert!(looks_like(ion.as_bytes()), "{ion}");
        }
        assert!(looks_like(&hex(BINARY)));
        for other in [
            "",
            "{",
            "{\"a\":1}",
            "[1]",
            "[{a:1}]",
            "a,b",
            "a::b",
            "a",
            "{}",
            "{a::b}",
            "{{aGk=}}",
            "2024-01-01 x::{",
            "<a>",
            "$ion_1_0x",
            "{'a",
        ] {
            assert!(!looks_like(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn other_versions_are_refused_not_misread() {
        let refused = |bytes: &[u8]| values(bytes, 1).unwrap_err();
        assert!(refused(&[0xe0, 1, 1, 0xea]).contains("Ion 1.1"));
        assert!(refused(b"{} $ion_1_1 {}").contains("only version 1.0"));
        assert_eq!(values(b"$ion_x $ion_1 '$ion_1_1' a::$ion_1_1", 1).unwrap().len(), 4);
    }

    /// Values of binary Ion, each inside the next.
    fn nested(kind: u8, name: &[u8], levels: usize) -> Vec<u8> {
        // Written backwards, so that each level is added in constant time.
        let mut reversed = Vec::new();
        for level in 0..levels {
            if level > 0 {
                reversed.extend(name);
            }
            let length = reversed.len();
            reversed.push(0x80 | (length & 0x7f) as u8);
            reversed.extend([7, 14, 21].map(|shift| (length >> shift & 0x7f) as u8));
            reversed.push(kind << 4 | 0xe);
        }
        reversed.extend([0xea, 0, 1, 0xe0]);
        reversed.reverse();
        reversed
    }

    #[test]
    fn depth_costs_neither_stack_nor_the_file() {
        for (opening, inside, closing) in
            [("[", "", "]"), ("(", "", ")"), ("{a:", "1", "}"), ("x::[", "", ",]")]
        {
            let text = |levels: usize| {
                let closing =
                    &closing.repeat(levels)[usize::from(inside.is_empty()) * (closing.len() - 1)..];
                format!("{}{inside}{closing} {{}}", opening.repeat(levels))
            };
            assert!(values(text(256).as_bytes(), 10_000).unwrap()[0].len() > 500);
            let deep = text(200_000);
            assert_eq!(values(deep.as_bytes(), deep.len()).unwrap(), ["nested_too_deep", "{}"]);
            let open = opening.repeat(200_000);
            assert!(values(open.as_bytes(), open.len()).unwrap_err().contains("ends inside"));
        }
        for (kind, name) in [(11, &[][..]), (12, &[]), (13, &[0x84])] {
            assert!(values(&nested(kind, name, 256), 1000).unwrap()[0].len() > 500);
            let deep = nested(kind, name, 200_000);
            assert_eq!(values(&deep, deep.len()).unwrap(), ["nested_too_deep"]);
        }
    }

    #[test]
    fn what_is_long_and_dull_is_read_in_one_pass() {
        let many = 300_000;
        for (text, expected) in [
            ("a::".repeat(many) + "1", "1".to_owned()),
            ("/**/ //\n".repeat(many) + "1", "1".to_owned()),
            ("'''''' ".repeat(many), "\"\"".to_owned()),
            ("0x".to_owned() + &"f".repeat(many), format!("1e{}", many / 2 * 24 / 10)),
            ("1".repeat(many), "1".repeat(many)),
            ("1.".to_owned() + &"1".repeat(many) + "e0", "1.1111111111111112".to_owned()),
            ("1d1".to_owned() + &"0".repeat(many), format!("1e{}", i64::MAX)),
            ("[".to_owned() + &"1,".repeat(many) + "]", format!("[{}1]", "1,".repeat(many - 1))),
            ("$ion_1_0 ".repeat(many) + "1", "1".to_owned()),
        ] {
            assert!(values(text.as_bytes(), 1 << 20).unwrap() == [expected], "{}", &text[..9]);
        }
    }

    #[test]
    fn a_few_bytes_cannot_become_many() {
        let symbol = "x".repeat(1 << 20);
        let define = format!("$ion_symbol_table::{{symbols:[\"{symbol}\"]}}");
        for bomb in [
            format!("[{}]", "$10,".repeat(100)),
            format!("{}1{}", "{$10:".repeat(100), "}".repeat(100)),
            format!("({})", "$10 ".repeat(100)),
        ] {
            let text = define.clone() + &bomb;
            let fault = values(text.as_bytes(), text.len()).unwrap_err();
            assert!(fault.ends_with("it is longer than 64 MiB as JSON"), "{fault}");
        }
        // The same in binary: a symbol of 64 KiB, and a list of 2000 of it.
        let symbol = [&hex("8e 040080")[..], &[b'x'; 1 << 16]].concat();
        let symbols = [&hex("87 be 040084")[..], &symbol].concat();
        let table = [&hex("e00100ea ee 04008f 8183 de 040089")[..], &symbols].concat();
        let found = values(&[&table[..], &[0x71, 10]].concat(), 1000).unwrap();
        assert_eq!(found[0].len(), (1 << 16) + 2);
        let list = [&hex("be 1fa0")[..], &[0x71, 10].repeat(2000)].concat();
        let fault = values(&[table, list].concat(), 1 << 20).unwrap_err();
        assert!(fault.ends_with("it is longer than 64 MiB as JSON"), "{fault}");
    }

    #[test]
    fn symbols_cannot_make_a_file_endless() {
        let symbol = "x".repeat(1 << 20);
        let define = format!("$ion_symbol_table::{{symbols:[\"{symbol}\"]}}");
        let others =
            ["[$10,$10,$10,$10]", "$ion_symbol_table::{imports:$ion_symbol_table,x:[$10,$10]}"];
        for text in others.map(|other| define.clone() + &other.repeat(260)) {
            let fault = values(text.as_bytes(), text.len()).unwrap_err();
            assert!(fault.ends_with("more than 250 times as long"), "{fault}");
        }
    }

    #[test]
    fn a_bad_symbol_table_ends_the_file() {
        for table in [
            b"{symbols:[\"\xff\"]}".to_vec(),
            format!("{{symbols:{}{}}}", "[".repeat(300), "]".repeat(300)).into_bytes(),
            b"{imports:[{name:\"x\", version:1}]}".to_vec(),
        ] {
            assert!(values(&[b"$ion_symbol_table::", &table[..]].concat(), 9).is_err());
        }
        assert!(values(b"$10", 1).unwrap_err().contains("$10 is not defined"));
        assert!(values(&hex("e00100ea 710a"), 1).unwrap_err().contains("$10 is not defined"));
        // No symbol tables: annotated otherwise, no struct, or not at the top.
        let others = "x::$ion_symbol_table::{a:1} $ion_symbol_table::1 [$ion_symbol_table::{}]";
        assert_eq!(values(others.as_bytes(), 1).unwrap(), [r#"{"a":1}"#, "1", "[{}]"]);
    }

    fn mutated() -> impl Strategy<Value = Vec<u8>> {
        let whole = prop_oneof![Just(hex(BINARY)), Just(TEXT.as_bytes().to_vec())];
        let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
        (whole, changes).prop_map(|(mut bytes, changes)| {
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn whatever_the_bytes_counts_add_up(
            bytes in prop_oneof![4 => mutated(), 1 => prop::collection::vec(any::<u8>(), 0..200)],
        ) {
            whatever_the_bytes("ion", &bytes);
        }

        #[test]
        fn blocks_make_no_difference(bytes in mutated(), step in 1_usize..40) {
            prop_assert_eq!(values(&bytes, step), values(&bytes, bytes.len()));
        }

        #[test]
        fn text_that_looks_like_ion_neither_panics_nor_hangs(text in "[a${}\\[\\]()'\":,/* 0-9eTZ+.-]{0,60}") {
            let _ = values(text.as_bytes(), 1);
            looks_like(text.as_bytes());
        }
    }
}
