//! One file over HTTP: a bounded number of bytes, in bounded time, from the server that was named or one that it
//! redirects to without giving up encryption.

use super::Limits;
use crate::{Error, Result};
use std::{
    io::{Read, Write},
    sync::Arc,
    time::{Duration, Instant},
};
use ureq::{
    Agent,
    http::{HeaderMap, Response},
    tls::{RootCerts, TlsConfig},
};

/// Microsoft's server redirects once, others twice.
const MOST_REDIRECTS: usize = 5;

/// What is asked, and how long it may take.
pub struct Transfer<'a> {
    url: &'a str,
    limits: &'a Limits,
    deadline: Instant,
    agent: Agent,
}

/// Bytes of a file from some offset on.
pub struct Body {
    /// Offset of the first byte.
    pub start: u64,
    /// Size of the whole file, where the server said it.
    total: Option<u64>,
    reader: Box<dyn Read>,
}

impl Body {
    /// The first bytes, as many as come without trouble.
    pub fn beginning(self, most: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = self.reader.take(most).read_to_end(&mut bytes);
        bytes
    }
}

/// Why a transfer ended before its end.
pub enum Stop {
    /// The connection broke; another one may bring the rest.
    Broken(String),
    /// The time is up, or the disk is full: what came stays good.
    Over(String),
    /// There is more than anybody wants.
    TooMuch(String),
}

impl<'a> Transfer<'a> {
    pub fn new(url: &'a str, limits: &'a Limits, deadline: Instant) -> Transfer<'a> {
        Transfer { url, limits, deadline, agent: agent(url, limits) }
    }

    /// Asks for the file from an offset on; the answer may still be the whole file. None: the server does not have it.
    pub fn start(&self, offset: u64) -> Result<Option<Body>> {
        let response = self.get(offset)?;
        match response.status().as_u16() {
            200 => self.body(response, 0).map(Some),
            206 => match range_start(response.headers()) {
                Some(start) if start == offset => self.body(response, start).map(Some),
                _ => Err(self.failed("it sent another part of the file than it was asked for")),
            },
            416 if offset > 0 => self.start(0), // less than what is here: it is another file
            // 403 is the answer of cloud stores that do not let everybody list what they have.
            403 | 404 | 410 => Ok(None),
            status => Err(self.failed(&format!("the server answered {status}"))),
        }
    }

    fn body(&self, response: Response<ureq::Body>, start: u64) -> Result<Body> {
        let (_, body) = response.into_parts();
        let total = body.content_length().map(|length| start.saturating_add(length));
        if total.is_some_and(|total| total > self.limits.bytes) {
            return Err(self.failed(&format!("it has more than {} bytes", self.limits.bytes)));
        }
        Ok(Body { start, total, reader: Box::new(body.into_reader()) })
    }

    /// Copies the body behind the `held` bytes that are there, and counts.
    pub fn copy(
        &self,
        body: &mut Body,
        to: &mut impl Write,
        held: &mut u64,
    ) -> std::result::Result<(), Stop> {
        let late = || Stop::Over(format!("it took more than {} seconds", self.limits.whole.as_secs()));
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = body.reader.read(&mut buffer);
            if Instant::now() >= self.deadline {
                return Err(late());
            }
            let count = read.map_err(|e| Stop::Broken(e.to_string()))?;
            if count == 0 {
                break;
            }
            if *held + count as u64 > self.limits.bytes {
                return Err(Stop::TooMuch(format!("it has more than {} bytes", self.limits.bytes)));
            }
            to.write_all(&buffer[..count]).map_err(|e| Stop::Over(e.to_string()))?;
            *held += count as u64;
        }
        match body.total {
            Some(total) if *held != total => {
                Err(Stop::Broken(format!("{total} bytes were announced, {held} came")))
            }
            _ => Ok(()),
        }
    }

    /// A request that follows redirects.
    fn get(&self, offset: u64) -> Result<Response<ureq::Body>> {
        let mut url = self.url.to_string();
        for _ in 0..=MOST_REDIRECTS {
            let left = self.deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            let mut request = self.agent.get(&url).config().timeout_global(Some(left)).build();
            if offset > 0 {
                request = request.header("Range", format!("bytes={offset}-"));
            }
            let response = request.call().map_err(|e| self.failed(&e.to_string()))?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            let to = response.headers().get("location").and_then(|to| to.to_str().ok());
            url = to.and_then(|to| redirected(&url, to)).ok_or_else(|| {
                let to: String =
                    to.unwrap_or("nowhere").chars().take(200).flat_map(char::escape_default).collect();
                self.failed(&format!("it redirects to {to}, which is not followed"))
            })?;
        }
        Err(self.failed("it redirects again and again"))
    }

    fn failed(&self, why: &str) -> Error {
        Error::new(format!("{}: {why}", self.url))
    }
}

/// Where a redirect leads: another place of the same server, or a web address that is no less encrypted.
fn redirected(from: &str, to: &str) -> Option<String> {
    let (scheme, rest) = from.split_once("://")?;
    if to.starts_with('/') && !to.starts_with("//") {
        let host = rest.split('/').next()?;
        return Some(format!("{scheme}://{host}{to}"));
    }
    let target = to.split_once("://")?.0.to_ascii_lowercase();
    let encrypted = scheme.eq_ignore_ascii_case("https");
    (target == "https" || target == "http" && !encrypted).then(|| to.to_string())
}

/// `Content-Range: bytes START-END/TOTAL`.
fn range_start(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get("content-range")?.to_str().ok()?;
    range.trim().strip_prefix("bytes")?.trim().split_once('-')?.0.parse().ok()
}

/// Redirects are followed here and not by the client, which would give up encryption.
fn agent(url: &str, limits: &Limits) -> Agent {
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .user_agent(concat!("dumplake/", env!("CARGO_PKG_VERSION")))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(limits.connect))
        .timeout_recv_response(Some(limits.silence))
        .timeout_per_read(Some(limits.silence));
    // A server of this machine is not asked through a proxy.
    let config = if is_local(url) { config.proxy(None) } else { config };
    config.build().into()
}

fn is_local(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next().unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::redirected;

    #[test]
    fn redirects() {
        let check = |from: &str, to: &str, expected: Option<&str>| {
            assert_eq!(redirected(from, to).as_deref(), expected, "{to}");
        };
        check("https://a/b/c", "https://d/e", Some("https://d/e"));
        check("http://a/b", "https://d/e", Some("https://d/e"));
        check("http://a:80/b", "/e", Some("http://a:80/e"));
        check("http://a/b", "HTTP://d/e", Some("HTTP://d/e"));
        for refused in ["http://d/e", "file:///etc/passwd", "//d/e", "e", "", "ftp://d", "javascript:1"] {
            check("https://a/b", refused, None);
        }
    }
}
