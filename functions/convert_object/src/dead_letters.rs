//! What can never succeed goes to the dead-letter queue at once, with the reason.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageAttributeValue;
use personalize_aws::in_words;

/// Longer reasons are cut; a message with its attributes can have 1 MiB.
const MAX_REASON: usize = 4000;

/// The dead-letter queue.
#[derive(Debug, Clone)]
pub(crate) struct DeadLetters {
    pub(crate) sqs: Client,
    pub(crate) queue_url: String,
}

impl DeadLetters {
    /// Sends the event as it came, so that it can be sent back when its cause is gone.
    pub(crate) async fn send(&self, event: &str, reason: &str) -> Result<(), String> {
        let attribute = MessageAttributeValue::builder()
            .data_type("String")
            .string_value(sendable(reason))
            .build()
            .map_err(|fault| fault.to_string())?;
        let send = self.sqs.send_message().queue_url(&self.queue_url).message_body(event);
        let sent = send.message_attributes("Reason", attribute).send().await;
        sent.map(|_| ()).map_err(|fault| in_words(&fault))
    }
}

/// The text without characters that SQS refuses (API reference, "SendMessage").
fn sendable(text: &str) -> String {
    let allowed = |c: char| match c {
        '\t' | '\n' | '\r' => c,
        c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => '\u{fffd}',
        c => c,
    };
    let text: String = text.chars().take(MAX_REASON).map(allowed).collect();
    if text.is_empty() { "no reason given".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_can_be_sent() {
        assert_eq!(sendable("a\u{0}b\nc"), "a\u{fffd}b\nc");
        assert_eq!(sendable(""), "no reason given");
        assert_eq!(sendable(&"é".repeat(5000)).chars().count(), MAX_REASON);
    }
}
