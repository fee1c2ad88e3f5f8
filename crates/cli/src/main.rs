//! `personalize-pipeline`: raw click-streams, users and catalogues in, Personalize CSV out.
//!
//! # Layout
//!
//! - `arguments`: what can be typed
//! - `commands`: one module per command
//! - `overrides`, `files`, `crawl`: parameters, source files, and samples of them
//! - `conversion`: many files to one output, in parallel and in order
//! - `output`: files that appear whole or not at all; `stdout`: what is printed
//! - `samples`: the sample data generator

mod arguments;
mod commands;
mod conversion;
mod crawl;
mod failure;
mod files;
mod input;
mod interrupt;
mod output;
mod overrides;
mod parts;
mod plan_source;
mod progress;
mod samples;
mod stdout;

use std::process::ExitCode;

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = Arguments::read();
    interrupt::install();
    personalize_engine::hide_caught_panics();
    let done = match arguments.command {
        Command::Crawl(arguments) => commands::crawl::run(&arguments),
        Command::Generate(arguments) => commands::generate::run(&arguments),
        Command::Convert(arguments) => commands::convert::run(&arguments),
        Command::Run(arguments) => commands::run::run(&arguments),
        Command::Sample(arguments) => commands::sample::run(&arguments),
        Command::Completions { shell } => commands::completions::run(shell),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
