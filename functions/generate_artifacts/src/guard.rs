//! Work that ends in time and without a panic, whatever it does.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use personalize_aws::panic_message;

/// Why work has no result.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// With its message
    Panicked(String),
    OutOfTime,
}

/// Does the work for at most so long.
pub(crate) async fn guarded<T>(
    work: impl Future<Output = T>,
    limit: Duration,
) -> Result<T, Stopped> {
    match tokio::time::timeout(limit, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(panic)) => Err(Stopped::Panicked(panic_message(panic.as_ref()))),
        Err(_) => Err(Stopped::OutOfTime),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn work_that_panics_or_hangs_is_told_from_work_that_is_done() {
        assert_eq!(guarded(async { 7 }, SOON).await, Ok(7));
        let panics = async { panic!("at {}", 3) };
        assert_eq!(guarded(panics, SOON).await, Err::<(), _>(Stopped::Panicked("at 3".into())));
        let hangs = std::future::pending::<()>();
        assert_eq!(guarded(hangs, SOON).await, Err(Stopped::OutOfTime));
    }
}
