//! Runs the crawler and waits for it.

use std::time::Duration;

use aws_sdk_glue::Client;
use aws_sdk_glue::error::ProvideErrorMetadata as _;
use aws_sdk_glue::types::{Crawler, CrawlerState, LastCrawlInfo, LastCrawlStatus};
use personalize_aws::{Deadline, in_words};

use crate::{NEW_ROLE_PAUSE, NEW_ROLE_TRIES};
use tokio::time::Instant;

/// How long a crawler that was started may still look as if it were not.
const SETTLING: Duration = Duration::from_secs(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Why there is no crawled table.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CrawlError {
    #[error("crawler {crawler} cannot be started: {fault}")]
    Start { crawler: String, fault: String },
    #[error("crawler {crawler} cannot be looked at: {fault}")]
    Look { crawler: String, fault: String },
    #[error(
        "crawler {crawler} failed: {message}; see its log group /aws-glue/crawlers, put right what \
         it names, and deploy again"
    )]
    Failed { crawler: String, message: String },
}

/// Whether the wait has come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crawl {
    Done,
    /// It still runs, and this invocation has no more time
    Running,
}

/// Starts the crawler; one that runs already is as good.
pub(crate) async fn start(glue: &Client, crawler: &str) -> Result<(), CrawlError> {
    match glue.start_crawler().name(crawler).send().await {
        Ok(_) => tracing::info!(crawler, "crawler started"),
        Err(fault)
            if fault.as_service_error().is_some_and(|e| e.is_crawler_running_exception()) =>
        {
            tracing::info!(crawler, "crawler runs already; waiting for it");
        }
        Err(fault) => {
            return Err(CrawlError::Start { crawler: crawler.into(), fault: in_words(&fault) });
        }
    }
    Ok(())
}

/// The last crawl that has ended, to tell the next one from it. As the first call of a role that
/// may have been made just now, it is repeated while it is denied.
pub(crate) async fn last_crawl(
    glue: &Client,
    crawler: &str,
) -> Result<Option<LastCrawlInfo>, CrawlError> {
    for _ in 1..NEW_ROLE_TRIES {
        match glue.get_crawler().name(crawler).send().await {
            Err(fault) if fault.code() == Some("AccessDeniedException") => {
                tokio::time::sleep(NEW_ROLE_PAUSE).await;
            }
            _ => break,
        }
    }
    Ok(look(glue, crawler).await?.and_then(|crawler| crawler.last_crawl))
}

/// Stops the crawler and waits until it has: while it runs, it can be neither changed nor deleted.
/// A crawler that is gone or does not run is as good.
pub(crate) async fn stop(glue: &Client, crawler: &str, deadline: &Deadline) {
    if let Err(fault) = glue.stop_crawler().name(crawler).send().await {
        tracing::info!(crawler, reason = in_words(&fault), "crawler not stopped");
    }
    let stopped = async {
        while let Ok(Some(found)) = look(glue, crawler).await
            && found.state != Some(CrawlerState::Ready)
        {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    if deadline.limit(stopped).await.is_none() {
        tracing::warn!(crawler, "the crawler still runs");
    }
}

/// Waits until the crawler's run has ended, or time is short.
///
/// `before` is the last crawl before this one was started, where this invocation started it.
pub(crate) async fn wait(
    glue: &Client,
    crawler: &str,
    before: Option<Option<LastCrawlInfo>>,
    deadline: &Deadline,
) -> Result<Crawl, CrawlError> {
    let begun = Instant::now();
    let mut seen_running = before.is_none();
    let mut pause = Duration::from_millis(500);
    loop {
        let found = look(glue, crawler).await?;
        let state = found.as_ref().and_then(|found| found.state.clone());
        let last = found.and_then(|found| found.last_crawl);
        if state != Some(CrawlerState::Ready) {
            seen_running = true;
        } else if seen_running || begun.elapsed() > SETTLING || is_another(&before, &last) {
            return ended(crawler, last);
        }
        if deadline.remaining().is_some_and(|remaining| remaining < 2 * pause) {
            return Ok(Crawl::Running);
        }
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 3 / 2);
    }
}

async fn look(glue: &Client, crawler: &str) -> Result<Option<Crawler>, CrawlError> {
    let found = glue.get_crawler().name(crawler).send().await;
    let found = found
        .map_err(|fault| CrawlError::Look { crawler: crawler.into(), fault: in_words(&fault) })?;
    Ok(found.crawler)
}

fn is_another(before: &Option<Option<LastCrawlInfo>>, last: &Option<LastCrawlInfo>) -> bool {
    before.as_ref().is_some_and(|before| {
        let start = |crawl: &Option<LastCrawlInfo>| crawl.as_ref().and_then(|c| c.start_time);
        start(before) != start(last)
    })
}

fn ended(crawler: &str, last: Option<LastCrawlInfo>) -> Result<Crawl, CrawlError> {
    let status = last.as_ref().and_then(|last| last.status.clone());
    let message = last.and_then(|last| last.error_message);
    match status {
        Some(LastCrawlStatus::Failed | LastCrawlStatus::Cancelled) => Err(CrawlError::Failed {
            crawler: crawler.into(),
            message: message.unwrap_or_else(|| "it was stopped or gave no reason".into()),
        }),
        _ => Ok(Crawl::Done),
    }
}
