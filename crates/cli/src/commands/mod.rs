//! The commands, one module each.

pub(crate) mod completions;
pub(crate) mod convert;
pub(crate) mod crawl;
pub(crate) mod generate;
pub(crate) mod run;
pub(crate) mod sample;
