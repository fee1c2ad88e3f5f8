//! One large file, converted in parts by several threads, its results in their order.
//!
//! A thread reads the file, takes off its compression and cuts it; others convert the parts as if
//! each began with a record, and so does the reading thread where they have enough to do; the
//! calling thread puts together what they wrote, and converts again what did not begin so.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};

use personalize_engine::{
    Boundary, ConvertError, ConvertedPart, Converter, Counts, Part, SourceFile, Splitter,
};

/// Parts in a row that do not begin with a record, after which it is no more tried: the file is one
/// that has to be read from its beginning, such as an array.
const MOST_MISSES: usize = 4;

/// Memory that is kept; what held a longer record is given back to the system.
const MOST_KEPT: usize = 4 << 20;

/// Why a file was not converted in parts.
pub(crate) enum Unsplit {
    /// It has to be read in one piece.
    Whole,
    /// It failed as a whole, or its results could not be written.
    Failed(ConvertError),
}

impl From<ConvertError> for Unsplit {
    fn from(fault: ConvertError) -> Self {
        Self::Failed(fault)
    }
}

/// A part's results, as if it began at that boundary.
struct Guess {
    begin: Boundary,
    converted: Result<ConvertedPart, ConvertError>,
    rows: Vec<u8>,
    rejects: Vec<u8>,
}

/// Memory that is used again.
#[derive(Default)]
struct Spares(Mutex<Vec<Vec<u8>>>);

impl Spares {
    fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn leave(&self, buffer: Vec<u8>) {
        if buffer.capacity() > MOST_KEPT {
            return;
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }
}

/// What threads leave to each other.
#[derive(Default)]
struct Memory {
    parts: Spares,
    results: Spares,
}

/// A part to be converted, and where its results are to go.
type Job = (Arc<Part>, Boundary, SyncSender<Guess>);
/// A part in its order, and where its results come from, if it is converted before its turn.
type Turn = Result<(Arc<Part>, Option<Receiver<Guess>>), ConvertError>;

/// A file and what converts it.
pub(crate) struct Conversion<'a> {
    pub(crate) converter: &'a Converter,
    pub(crate) file: &'a SourceFile,
}

impl Conversion<'_> {
    /// Converts the file with that many threads, and writes its rows and rejects.
    pub(crate) fn run(
        &self,
        mut splitter: Splitter,
        threads: usize,
        rows: impl Write,
        rejects: impl Write,
    ) -> Result<Counts, Unsplit> {
        // None for nobody: a single thread converts all parts itself.
        let (jobs, waiting) = mpsc::sync_channel(2 * threads.saturating_sub(1));
        let waiting = Mutex::new(waiting);
        let (turns, in_order) = mpsc::sync_channel(2 * threads);
        let (begun, known) = mpsc::sync_channel(1);
        let is_guessed = AtomicBool::new(true);
        let memory = Memory::default();
        let mut counts = std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(|| self.convert_jobs(&waiting, &memory));
            }
            scope.spawn(|| self.read(&mut splitter, known, jobs, turns, &is_guessed, &memory));
            self.join(in_order, begun, &is_guessed, &memory, rows, rejects)
        })?;
        counts.bytes_read = splitter.bytes_read();
        Ok(counts)
    }

    fn convert_jobs(&self, waiting: &Mutex<Receiver<Job>>, memory: &Memory) {
        loop {
            let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(job) = job else {
                return;
            };
            self.convert_job(job, memory);
        }
    }

    fn convert_job(&self, (part, begin, results): Job, memory: &Memory) {
        let (mut rows, mut rejects) = (memory.results.take(), Vec::new());
        rows.clear();
        let converted =
            self.converter.convert_part(self.file, &part, &begin, &mut rows, &mut rejects);
        drop(part);
        // Nobody waits for it where the conversion has failed.
        let _ = results.send(Guess { begin, converted, rows, rejects });
    }

    /// Reads and cuts. The first part has no results before its turn: it says what the others are
    /// like.
    #[expect(clippy::needless_pass_by_value, reason = "the other ends see that they are dropped")]
    fn read(
        &self,
        splitter: &mut Splitter,
        known: Receiver<Boundary>,
        jobs: SyncSender<Job>,
        turns: SyncSender<Turn>,
        is_guessed: &AtomicBool,
        memory: &Memory,
    ) {
        let mut first_end = None;
        loop {
            let part = match splitter.next_part(memory.parts.take()) {
                Ok(Some(part)) => Arc::new(part),
                Ok(None) => return,
                Err(fault) => {
                    let _ = turns.send(Err(fault));
                    return;
                }
            };
            let (mut guess, mut own_job) = (None, None);
            if let Some(end) = first_end.as_ref().filter(|_| is_guessed.load(Ordering::Relaxed)) {
                let (results, received) = mpsc::sync_channel(1);
                match jobs.try_send((Arc::clone(&part), part.begin(end), results)) {
                    Ok(()) => {}
                    Err(TrySendError::Full(job)) => own_job = Some(job),
                    Err(TrySendError::Disconnected(_)) => return,
                }
                guess = Some(received);
            }
            if turns.send(Ok((part, guess))).is_err() {
                return;
            }
            if let Some(job) = own_job {
                self.convert_job(job, memory);
            }
            if first_end.is_none() {
                first_end = known.recv().ok();
            }
        }
    }

    /// Puts together what the parts gave, and converts those whose turn it is and that were not, or
    /// not from where they begin.
    #[expect(clippy::needless_pass_by_value, reason = "the other ends see that they are dropped")]
    fn join(
        &self,
        in_order: Receiver<Turn>,
        begun: SyncSender<Boundary>,
        is_guessed: &AtomicBool,
        memory: &Memory,
        mut rows: impl Write,
        mut rejects: impl Write,
    ) -> Result<Counts, Unsplit> {
        let mut counts = Counts::default();
        let mut end = Boundary::beginning();
        let mut left = Vec::new();
        let mut misses = 0;
        for turn in in_order {
            let (mut part, guess) = turn?;
            let guess = guess.and_then(|guess| guess.recv().ok());
            let was_guessed = guess.is_some();
            let converted = match guess {
                Some(guess) if left.is_empty() && guess.begin == end => {
                    misses = 0;
                    let converted = guess.converted?;
                    rows.write_all(&guess.rows).map_err(ConvertError::Write)?;
                    rejects.write_all(&guess.rejects).map_err(ConvertError::Write)?;
                    memory.results.leave(guess.rows);
                    converted
                }
                _ => {
                    misses += usize::from(was_guessed);
                    if misses == MOST_MISSES {
                        is_guessed.store(false, Ordering::Relaxed);
                    }
                    if !left.is_empty() {
                        part = Arc::new(part.behind(&left));
                    }
                    self.converter.convert_part(self.file, &part, &end, &mut rows, &mut rejects)?
                }
            };
            counts.add(&converted.counts);
            if converted.is_too_long() {
                return Err(Unsplit::Whole);
            }
            left.clear();
            left.extend_from_slice(part.tail(converted.left));
            if let Some(part) = Arc::into_inner(part) {
                memory.parts.leave(part.into_buffer());
            }
            end = converted.end;
            // Only the first is waited for.
            let _ = begun.try_send(end.clone());
        }
        Ok(counts)
    }
}
