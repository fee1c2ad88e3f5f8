//! Logs as JSON lines, one event each.

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Libraries whose own logs show only what is wrong: at finer levels they would print requests,
/// and with them the URL that answers CloudFormation.
const LIBRARIES: [&str; 8] = [
    "aws_config",
    "aws_runtime",
    "aws_smithy_http_client",
    "aws_smithy_runtime",
    "hyper",
    "hyper_util",
    "lambda_runtime",
    "rustls",
];

/// Starts logging to stdout at the level in `AWS_LAMBDA_LOG_LEVEL`, which is INFO by default.
pub fn init_logging() {
    let level = std::env::var("AWS_LAMBDA_LOG_LEVEL").ok();
    let level = level.and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    let filter = LIBRARIES.iter().fold(Targets::new().with_default(level), |filter, library| {
        filter.with_target(*library, level.min(LevelFilter::WARN))
    });
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false);
    tracing_subscriber::registry().with(lines.with_filter(filter)).init();
}
