//! Calls that are tried again.

use std::time::Duration;

use messenger_core::Error;

/// Makes a call that may be repeated, and tries again a few times if it fails and that may help.
pub(crate) async fn retried<T, F: Future<Output = Result<T, Error>>>(
    mut call: impl FnMut() -> F,
) -> Result<T, Error> {
    for pause in [100, 500, 2_000, 5_000].map(Duration::from_millis) {
        match call().await {
            Err(error) if error.is_retryable() => tokio::time::sleep(pause).await,
            result => return result,
        }
    }
    call().await
}
