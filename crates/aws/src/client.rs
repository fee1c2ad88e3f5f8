//! The clients' common configuration.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{
    HttpConnector as _, HttpConnectorSettings, SharedHttpClient,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;

/// An HTTPS client on rustls and ring, which builds without a C toolchain for the target.
fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

/// The configuration for every client of the SDK: credentials and Region from the environment,
/// retries with backoff.
pub async fn sdk_config() -> SdkConfig {
    // An attempt that hangs is given up and repeated; the body of an object is not part of it.
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(60));
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http_client())
        .timeout_config(timeouts.build())
        .load()
        .await
}

/// Puts a body to a presigned URL, signed for an empty content type as CloudFormation's are, and
/// gives the HTTP status.
///
/// # Errors
///
/// What went wrong, without the URL: whoever knows it may use it.
pub async fn put_presigned(url: &str, body: &str) -> Result<u16, String> {
    let settings = HttpConnectorSettings::builder().connect_timeout(Duration::from_secs(3)).build();
    let connector = aws_smithy_http_client::Connector::builder()
        .connector_settings(settings)
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build();
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_uri(url).map_err(|_| "the URL cannot be read".to_owned())?;
    request.set_method("PUT").map_err(|fault| fault.to_string())?;
    request.headers_mut().insert("content-type", "");
    request.headers_mut().insert("content-length", body.len().to_string());
    let sent = tokio::time::timeout(Duration::from_secs(10), connector.call(request)).await;
    match sent {
        Ok(Ok(response)) => Ok(response.status().as_u16()),
        Ok(Err(fault)) if fault.is_timeout() => Err("no connection in time".to_owned()),
        Ok(Err(_)) => Err("the connection failed".to_owned()),
        Err(_) => Err("no answer within 10 seconds".to_owned()),
    }
}
