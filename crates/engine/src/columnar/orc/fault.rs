//! Why an ORC file is not read.

use std::io;

use arrow_schema::ArrowError;

/// Why a file, a stripe or a column of it is not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Source(#[from] io::Error),
    /// What its arrays refuse: texts that are no UTF-8, above all.
    #[error(transparent)]
    Array(#[from] ArrowError),
    #[error("its postscript is damaged")]
    Postscript,
    #[error("its footer is damaged")]
    Footer,
    #[error("its footer is longer than 64 MiB")]
    LongFooter,
    #[error("it was written by a draft of ORC 2, which has other numbers")]
    Draft,
    #[error("its compression has the number {0}, which ORC does not know")]
    Compression(u64),
    #[error("its compressed blocks may have {0} bytes, where ORC allows 8 MiB")]
    LargeBlocks(u64),
    #[error("a compressed block is damaged: {0}")]
    Block(String),
    #[error("its root is no struct, so it has no columns")]
    Root,
    #[error("its type {0} is held by its type {1}, which should come before it and alone hold it")]
    NoTree(usize, usize),
    #[error("its types are nested deeper than 256 levels")]
    Nesting,
    #[error("its type {0} is damaged")]
    Type(usize),
    #[error("it has more than {0} types")]
    ManyTypes(usize),
    #[error("it has more than {0} stripes")]
    ManyStripes(usize),
    #[error("its type has the number {0}, which is not known")]
    UnknownType(u64),
    #[error("it has rows, but no data of the columns that are read")]
    NoData,
    #[error("its times are of the zone `{0}`, which is not known")]
    Zone(String),
    #[error("its decimals have a precision of {0} digits, where ORC has 1 to 38")]
    Precision(u64),
    #[error("it is encrypted")]
    Encrypted,
    #[error("its data end before its last value")]
    Ended,
    #[error("its runs of numbers are damaged")]
    Runs,
    #[error("a number is too large for its type")]
    Range,
    #[error("a value is number {0} of a dictionary that has {1}")]
    Dictionary(i64, usize),
    #[error("a length is negative, or texts are longer than 2 GiB together")]
    Lengths,
    #[error("lists side by side have more than {0} elements")]
    ManyElements(i32),
    #[error("it has a dictionary of {0} texts, where {1} are read at most")]
    LargeDictionary(u64, u64),
    #[error("a union's value is of its kind {0}, which it does not have")]
    Union(u8),
}

impl Fault {
    /// The same in a column.
    pub(super) fn in_column(self, name: &str) -> io::Error {
        io::Error::other(format!("column `{name}`: {self}"))
    }
}
