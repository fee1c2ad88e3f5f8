//! How long an invocation may still take.

use std::time::{Duration, Instant, SystemTime};

/// When Lambda ends an invocation, and when work has to end so that something can still be said
/// about it.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    begun: Instant,
    /// None under emulators that give no real deadline
    ends: Option<Instant>,
}

impl Deadline {
    /// From the deadline in the invocation's context.
    pub fn new(deadline: SystemTime) -> Self {
        let begun = Instant::now();
        let ends = deadline.duration_since(SystemTime::now()).ok();
        Self { begun, ends: ends.and_then(|remaining| begun.checked_add(remaining)) }
    }

    /// The share of the invocation's time that is kept for ending it: a tenth, at least a second
    /// and at most 20.
    fn reserve(&self) -> Duration {
        self.total().map_or(Duration::ZERO, |total| {
            (total / 10).clamp(Duration::from_secs(1), Duration::from_secs(20))
        })
    }

    /// When work has to end.
    fn work_ends(&self) -> Option<Instant> {
        self.ends.map(|ends| ends.checked_sub(self.reserve()).unwrap_or(self.begun))
    }

    /// The time for work that is left, if it is limited.
    pub fn remaining(&self) -> Option<Duration> {
        self.work_ends().map(|ends| ends.saturating_duration_since(Instant::now()))
    }

    /// Does work until it is done, or until work has to end.
    pub async fn limit<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        match self.remaining() {
            None => Some(work.await),
            Some(remaining) => tokio::time::timeout(remaining, work).await.ok(),
        }
    }

    /// Whether a moment lies in the first half of the invocation's time.
    pub fn is_first_half(&self, moment: Instant) -> bool {
        let elapsed = moment.saturating_duration_since(self.begun);
        self.total().is_none_or(|total| elapsed < total / 2)
    }

    /// All the time that the invocation has, if it is limited.
    pub fn total(&self) -> Option<Duration> {
        self.ends.map(|ends| ends.saturating_duration_since(self.begun))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_ends_before_the_invocation_does() {
        let deadline = Deadline::new(SystemTime::now() + Duration::from_secs(300));
        assert_eq!(deadline.reserve(), Duration::from_secs(20));
        assert!(deadline.remaining() <= Some(Duration::from_secs(280)));
        assert!(deadline.remaining() > Some(Duration::from_secs(270)));
        let short = Deadline::new(SystemTime::now() + Duration::from_millis(900));
        assert_eq!(short.remaining(), Some(Duration::ZERO));
    }

    #[test]
    fn a_deadline_long_ago_is_none() {
        let deadline = Deadline::new(SystemTime::UNIX_EPOCH + Duration::from_secs(600));
        assert_eq!(deadline.remaining(), None);
    }
}
