//! What can be typed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Turns raw click-streams, users and catalogues into what Amazon Personalize imports: CSV under
/// its rules, and an Avro schema
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say what SOURCE holds: its table, as a Glue crawler would record it, and a proposed mapping
    #[command(after_help = CRAWL_EXAMPLE)]
    Crawl(CrawlArguments),
    /// Write plan.json, schema.json, conversion_job.py, explore.sql and unload.sql
    #[command(after_help = GENERATE_EXAMPLE)]
    Generate(GenerateArguments),
    /// Convert SOURCE to the CSV that Personalize imports
    #[command(after_help = CONVERT_EXAMPLE)]
    Convert(ConvertArguments),
    /// Do all of it into one folder: the artifacts, the CSV and the rejects
    #[command(after_help = RUN_EXAMPLE)]
    Run(RunArguments),
    /// Write sample data to try things on
    #[command(after_help = SAMPLE_EXAMPLE)]
    Sample(SampleArguments),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

const CRAWL_EXAMPLE: &str = "\
Example:
  personalize-pipeline crawl events/
  personalize-pipeline crawl events/ --json > table.json";
const GENERATE_EXAMPLE: &str = "\
Example:
  personalize-pipeline generate events/ -o artifacts/ --parameter-overrides \\
      SourceColumnUserId=userId SourceColumnItemId=properties.sku
  aws glue get-table --database-name db --name events > table.json
  personalize-pipeline generate --table table.json -o artifacts/ --samconfig samconfig.toml";
const CONVERT_EXAMPLE: &str = "\
Example:
  personalize-pipeline convert events/ interactions.csv --parameter-overrides \\
      'EventTypes=Product Added,Order Completed' SourceColumnUserId=userId \\
      SourceColumnItemId=properties.sku SourceColumnEventType=event
  personalize-pipeline convert events/ converted/ --per-file --plan plan.json --json";
const RUN_EXAMPLE: &str = "\
Example:
  personalize-pipeline run events/ out/ --samconfig samconfig.toml --config-env prod";
const SAMPLE_EXAMPLE: &str = "\
Example:
  personalize-pipeline sample firehose samples/firehose --records 10000 --seed 1";

impl Arguments {
    /// Reads the command line, and ends the process if it makes no sense.
    pub(crate) fn read() -> Self {
        Self::parse_from(one_override_each(std::env::args_os()))
    }
}

/// Puts `--parameter-overrides` before each of the pairs that follow it, so that SOURCE and
/// DESTINATION may stand behind them.
fn one_override_each(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    const OPTION: &str = "--parameter-overrides";
    let mut out: Vec<OsString> = Vec::new();
    let mut in_overrides = false;
    for argument in arguments {
        let is_pair =
            argument.to_str().and_then(|text| text.split_once('=')).is_some_and(|(name, _)| {
                !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric())
            });
        let follows_option = out.last().is_some_and(|last| last == OPTION);
        if in_overrides && is_pair && !follows_option {
            out.push(OPTION.into());
        }
        in_overrides = argument == OPTION || in_overrides && is_pair;
        out.push(argument);
    }
    out
}

/// The parameters, which say what to convert and how
#[derive(Debug, Args)]
#[command(next_help_heading = "Parameters")]
pub(crate) struct ParameterArguments {
    /// Parameters of the stack, one or several, as `sam deploy` takes them; the README lists them
    #[arg(long, value_name = "KEY=VALUE ...")]
    pub(crate) parameter_overrides: Vec<String>,

    /// Take parameter_overrides from this samconfig.toml; those typed come on top
    #[arg(long, value_name = "FILE")]
    pub(crate) samconfig: Option<PathBuf>,

    /// The environment in samconfig.toml
    #[arg(long, value_name = "NAME", default_value = "default", requires = "samconfig")]
    pub(crate) config_env: String,
}

/// How much of SOURCE is looked at to find its columns
#[derive(Debug, Args)]
pub(crate) struct SampleSize {
    /// Bytes of SOURCE that are looked at to find its columns, as in 64M or 1G, or `all`
    #[arg(long, value_name = "SIZE", default_value = "8M")]
    pub(crate) sample: Size,
}

#[derive(Debug, Args)]
pub(crate) struct CrawlArguments {
    /// A file, or a folder that is read recursively
    pub(crate) source: PathBuf,
    /// Print the table as `aws glue get-table` would
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) sample: SampleSize,
    #[command(flatten)]
    pub(crate) parameters: ParameterArguments,
}

#[derive(Debug, Args)]
pub(crate) struct GenerateArguments {
    /// A file, or a folder that is read recursively
    #[arg(required_unless_present = "table", conflicts_with = "table")]
    pub(crate) source: Option<PathBuf>,
    /// The table as `aws glue get-table` or `crawl --json` prints it
    #[arg(long, value_name = "FILE")]
    pub(crate) table: Option<PathBuf>,
    /// The folder to write to
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) sample: SampleSize,
    #[command(flatten)]
    pub(crate) parameters: ParameterArguments,
}

/// How a conversion is done
#[derive(Debug, Args)]
pub(crate) struct ConversionArguments {
    /// The table as `aws glue get-table` or `crawl --json` prints it, instead of looking at SOURCE
    #[arg(long, value_name = "FILE")]
    pub(crate) table: Option<PathBuf>,
    /// Files converted at the same time [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    /// Fail if more records than this are rejected, as in 100 or 0.5%
    #[arg(long, value_name = "N|P%")]
    pub(crate) max_rejects: Option<MaxRejects>,
    /// Print the summary as JSON on stdout
    #[arg(long)]
    pub(crate) json: bool,
    /// Print nothing but errors
    #[arg(long, short)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) sample: SampleSize,
    #[command(flatten)]
    pub(crate) parameters: ParameterArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ConvertArguments {
    /// A file, or a folder that is read recursively
    pub(crate) source: PathBuf,
    /// The CSV file to write, or a folder to write it in
    pub(crate) destination: PathBuf,
    /// Write one CSV per source file, into the folder DESTINATION
    #[arg(long)]
    pub(crate) per_file: bool,
    /// The folder for rejects.jsonl [default: DESTINATION.rejects]
    #[arg(long, value_name = "DIR")]
    pub(crate) rejects: Option<PathBuf>,
    /// A plan made before, instead of parameters
    #[arg(long, value_name = "FILE", conflicts_with_all = ["table", "parameter_overrides", "samconfig"])]
    pub(crate) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) conversion: ConversionArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// A file, or a folder that is read recursively
    pub(crate) source: PathBuf,
    /// The folder to write to
    pub(crate) destination: PathBuf,
    #[command(flatten)]
    pub(crate) conversion: ConversionArguments,
}

#[derive(Debug, Args)]
pub(crate) struct SampleArguments {
    /// What the sample looks like
    pub(crate) kind: SampleKind,
    /// The folder to write to
    pub(crate) directory: PathBuf,
    /// How many records to write
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) records: u64,
    /// The same seed gives the same bytes
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
}

/// A kind of sample data
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SampleKind {
    /// Events run together in year/month/day/hour folders, as Firehose delivers them
    Firehose,
    /// Gzipped track and identify messages in segment-logs/source/day folders
    Segment,
    /// Events as CSV with a header
    Csv,
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("all") {
            return Ok(Self(u64::MAX));
        }
        let units = [("K", 10), ("M", 20), ("G", 30), ("T", 40)];
        let upper = text.to_ascii_uppercase();
        let upper = upper.trim_end_matches('B').trim_end_matches('I');
        let unit = units.iter().find_map(|(unit, shift)| Some((upper.strip_suffix(unit)?, *shift)));
        let (digits, shift) = unit.unwrap_or((upper, 0));
        let number: u64 = digits
            .trim()
            .parse()
            .map_err(|_| "write a number of bytes such as 500K, 64M or 1G, or all".to_owned())?;
        Ok(Self(number.saturating_mul(1 << shift)))
    }
}

/// How many rejected records are too many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum MaxRejects {
    Records(u64),
    Percent(f64),
}

impl MaxRejects {
    /// Whether that many rejected of that many read are too many.
    pub(crate) fn is_exceeded(self, rejected: u64, read: u64) -> bool {
        match self {
            Self::Records(most) => rejected > most,
            Self::Percent(most) => rejected as f64 * 100.0 > most * read as f64,
        }
    }
}

impl FromStr for MaxRejects {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || "write a number of records, or a percentage such as 0.5%".to_owned();
        match text.strip_suffix('%') {
            Some(percent) => {
                let percent = percent.trim().parse().map_err(|_| fault())?;
                if !(0.0..=100.0).contains(&percent) {
                    return Err("a percentage lies between 0 and 100".into());
                }
                Ok(Self::Percent(percent))
            }
            None => text.parse().map(Self::Records).map_err(|_| fault()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_follows_the_overrides_is_no_override() {
        let typed = ["pp", "convert", "--parameter-overrides", "A=1", "B=x y", "in/year=1", "out"];
        let read = one_override_each(typed.into_iter().map(OsString::from));
        let option = "--parameter-overrides";
        let expected = ["pp", "convert", option, "A=1", option, "B=x y", "in/year=1", "out"];
        assert_eq!(read, expected);
    }

    #[test]
    fn sizes_and_limits_are_read() {
        assert_eq!("64M".parse(), Ok(Size(64 << 20)));
        assert_eq!("1gib".parse(), Ok(Size(1 << 30)));
        assert_eq!("500".parse(), Ok(Size(500)));
        assert!("lots".parse::<Size>().is_err());
        assert_eq!("0.5%".parse(), Ok(MaxRejects::Percent(0.5)));
        assert!("101%".parse::<MaxRejects>().is_err());
        assert!(MaxRejects::Percent(0.5).is_exceeded(6, 1000));
        assert!(!MaxRejects::Percent(0.5).is_exceeded(5, 1000));
        assert!(!MaxRejects::Records(0).is_exceeded(0, 10));
    }
}
