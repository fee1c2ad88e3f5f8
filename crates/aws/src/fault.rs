//! Errors of the SDK in words.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// What went wrong: the service's own words and code, or how the call failed on its way.
pub fn in_words<E>(fault: &SdkError<E, HttpResponse>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let Some(service) = fault.as_service_error() else {
        return DisplayErrorContext(fault).to_string();
    };
    match (service.message(), service.code(), status(fault)) {
        (Some(message), Some(code), _) => format!("{message} ({code})"),
        (Some(text), None, _) | (None, Some(text), _) => text.to_owned(),
        (None, None, Some(status)) if status >= 300 => format!("HTTP status {status}"),
        _ => DisplayErrorContext(fault).to_string(),
    }
}

/// The HTTP status of the answer, if there was one.
pub fn status<E>(fault: &SdkError<E, HttpResponse>) -> Option<u16> {
    fault.raw_response().map(|response| response.status().as_u16())
}

/// What a caught panic said.
pub fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
