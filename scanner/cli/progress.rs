//! Progress on long work: bytes, rate and time left on a terminal; nothing at all otherwise.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// A bar over `bytes` of input, on standard error. Hidden when that is no terminal.
pub fn bytes(bytes: u64, what: &'static str) -> ProgressBar {
    // The draw target hides itself when standard error is not a terminal.
    let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template(
        "{msg:10} {bar:30} {bytes:>10} of {total_bytes} · {bytes_per_sec} · {eta} left",
    );
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(what);
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}
