//! Ranges of an object, got before they are asked for where it was announced that they will be.

use std::collections::{HashMap, VecDeque};
use std::future;
use std::ops::Range;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::oneshot;

use crate::failure::Unconverted;

/// Ranges that are got at the same time. One that is asked for does not wait for others.
const AT_ONCE: usize = 4;
/// Bytes that are kept, or on their way, without having been asked for. So a file that announces
/// what it then does not ask for takes no more memory.
const MOST_AHEAD: u64 = 64 << 20;

/// Ranges, which `get` begins to get.
pub(crate) struct Ranges<G, F> {
    get: G,
    announced: VecDeque<Range<u64>>,
    known: HashMap<Range<u64>, State>,
    coming: FuturesUnordered<F>,
}

/// What there is of a range.
enum State {
    Coming,
    /// It is coming, and somebody waits for it
    Asked(oneshot::Sender<Bytes>),
    Here(Bytes),
}

impl<G, F> Ranges<G, F>
where
    G: Fn(Range<u64>) -> F,
    F: Future<Output = Result<(Range<u64>, Bytes), Unconverted>>,
{
    pub(crate) fn new(get: G) -> Self {
        Self {
            get,
            announced: VecDeque::new(),
            known: HashMap::new(),
            coming: FuturesUnordered::new(),
        }
    }

    /// Gets a range as soon as there is nothing before it.
    pub(crate) fn announce(&mut self, range: Range<u64>) {
        self.announced.push_back(range);
        self.begin();
    }

    /// Gets a range now, unless it is here or on its way.
    pub(crate) fn ask(&mut self, range: Range<u64>, answer: oneshot::Sender<Bytes>) {
        match self.known.remove(&range) {
            Some(State::Here(bytes)) => answer_with(answer, bytes),
            Some(State::Coming | State::Asked(_)) => {
                self.known.insert(range, State::Asked(answer));
            }
            None => {
                self.announced.retain(|announced| *announced != range);
                self.coming.push((self.get)(range.clone()));
                self.known.insert(range, State::Asked(answer));
            }
        }
        self.begin();
    }

    /// Waits for the next range to be here; forever, if none is coming.
    pub(crate) async fn advance(&mut self) -> Result<(), Unconverted> {
        let Some(got) = self.coming.next().await else {
            return future::pending().await;
        };
        let (range, bytes) = got?;
        match self.known.remove(&range) {
            Some(State::Asked(answer)) => answer_with(answer, bytes),
            _ => {
                self.known.insert(range, State::Here(bytes));
            }
        }
        self.begin();
        Ok(())
    }

    /// Begins to get what was announced, if there is room for it.
    fn begin(&mut self) {
        while self.coming.len() < AT_ONCE
            && let Some(range) = self.announced.front()
            && self.ahead() + (range.end - range.start) <= MOST_AHEAD
            && let Some(range) = self.announced.pop_front()
        {
            if !self.known.contains_key(&range) {
                self.coming.push((self.get)(range.clone()));
                self.known.insert(range, State::Coming);
            }
        }
    }

    /// How many bytes nobody has asked for yet.
    fn ahead(&self) -> u64 {
        let ahead = self.known.iter().filter(|(_, state)| !matches!(state, State::Asked(_)));
        ahead.map(|(range, _)| range.end - range.start).sum()
    }
}

fn answer_with(answer: oneshot::Sender<Bytes>, bytes: Bytes) {
    // Whoever asked may have given up.
    let _ = answer.send(bytes);
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const MB: u64 = 1 << 20;

    /// Gets as many bytes as a range has, and notes its beginning.
    async fn got(
        begun: &RefCell<Vec<u64>>,
        range: Range<u64>,
    ) -> Result<(Range<u64>, Bytes), Unconverted> {
        begun.borrow_mut().push(range.start);
        let bytes = vec![0; (range.end - range.start) as usize];
        Ok((range, bytes.into()))
    }

    #[tokio::test]
    async fn what_is_asked_for_comes_first_and_nothing_twice() {
        let begun = RefCell::default();
        let mut ranges = Ranges::new(|range| got(&begun, range));
        for start in 0..6 {
            ranges.announce(start..start + 10);
        }
        let ask = |ranges: &mut Ranges<_, _>, start| {
            let (answer, received) = oneshot::channel();
            ranges.ask(start..start + 10, answer);
            received
        };
        // One that is on its way, one that was only announced, and one that was not.
        let mut asked = [1, 5, 9].map(|start| ask(&mut ranges, start));
        for _ in 0..7 {
            ranges.advance().await.unwrap();
        }
        for received in &mut asked {
            assert_eq!(received.try_recv().unwrap().len(), 10);
        }
        let mut here = ask(&mut ranges, 4);
        assert_eq!(here.try_recv().unwrap().len(), 10);
        assert_eq!(*begun.borrow(), [0, 1, 2, 3, 5, 9, 4]);
    }

    #[tokio::test]
    async fn what_nobody_asks_for_takes_little() {
        let begun = RefCell::default();
        let mut ranges = Ranges::new(|range| got(&begun, range));
        for number in 0..200 {
            ranges.announce(number * MB..(number + 1) * MB);
        }
        while !ranges.coming.is_empty() {
            ranges.advance().await.unwrap();
        }
        assert_eq!(begun.borrow().len() as u64, MOST_AHEAD / MB);
        let (answer, mut received) = oneshot::channel();
        ranges.ask(150 * MB..151 * MB, answer);
        ranges.advance().await.unwrap();
        assert_eq!(received.try_recv().unwrap().len() as u64, MB);
        let (answer, _received) = oneshot::channel();
        ranges.ask(0..MB, answer);
        assert_eq!(ranges.coming.len(), 1, "there is room for another one");
    }
}
