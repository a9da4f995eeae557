//! A web server of this machine that answers as a test tells it to.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// What was asked.
pub struct Asked {
    /// Path of the URL.
    pub path: String,
    /// Offset of the `Range` header.
    pub from: Option<usize>,
    /// How many requests came before.
    pub number: usize,
}

/// What to answer.
pub enum Answer {
    /// Status, further headers, body.
    Plain(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// A body of which only so many bytes are sent.
    Cut(Box<Answer>, usize),
    /// A body that never ends, without a length.
    Endless,
    /// Headers, and then a byte now and then.
    Slow(Duration),
    /// Nothing at all for a while.
    Silence(Duration),
}

impl Answer {
    pub fn ok(body: &[u8]) -> Answer {
        Answer::Plain(200, Vec::new(), body.to_vec())
    }

    pub fn missing() -> Answer {
        Answer::Plain(404, Vec::new(), b"<html>no</html>".to_vec())
    }

    pub fn redirect(to: &str) -> Answer {
        Answer::Plain(302, vec![("Location", to.to_string())], Vec::new())
    }

    /// The part that was asked for, or all.
    pub fn ranged(body: &[u8], asked: &Asked) -> Answer {
        match asked.from {
            None => Answer::ok(body),
            Some(from) => {
                let range = format!("bytes {from}-{}/{}", body.len() - 1, body.len());
                Answer::Plain(206, vec![("Content-Range", range)], body[from..].to_vec())
            }
        }
    }

    fn send(&self, to: &mut TcpStream, most: usize) -> std::io::Result<()> {
        match self {
            Answer::Plain(status, headers, body) => {
                write!(
                    to,
                    "HTTP/1.1 {status} Text\r\nContent-Length: {}\r\nConnection: close\r\n",
                    body.len()
                )?;
                headers.iter().try_for_each(|(name, value)| write!(to, "{name}: {value}\r\n"))?;
                to.write_all(b"\r\n")?;
                to.write_all(&body[..body.len().min(most)])
            }
            Answer::Cut(whole, most) => whole.send(to, *most),
            Answer::Endless => {
                to.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
                (0..1 << 14).try_for_each(|_| to.write_all(&[0x41; 1 << 14]))
            }
            Answer::Slow(pause) => {
                to.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")?;
                (0..100).try_for_each(|_| {
                    thread::sleep(*pause);
                    to.write_all(b"A")
                })
            }
            Answer::Silence(pause) => {
                thread::sleep(*pause);
                Ok(())
            }
        }
    }
}

/// The server; it stays until the test program ends.
pub struct Server {
    /// Its URL without a slash at the end.
    pub url: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub fn new(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let (answer, written) = (Arc::new(answer), log.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, written) = (answer.clone(), written.clone());
                thread::spawn(move || serve(stream, &*answer, &written));
            }
        });
        Server { url, log }
    }

    /// Paths of the requests so far, with the offset where one was asked for.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, answer: &dyn Fn(&Asked) -> Answer, log: &Mutex<Vec<String>>) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_string();
    let mut from = None;
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        let line = line.to_ascii_lowercase();
        let range = line.strip_prefix("range: bytes=").and_then(|range| range.strip_suffix('-'));
        from = from.or(range.and_then(|from| from.parse().ok()));
    }
    let number = {
        let mut log = log.lock().unwrap();
        log.push(from.map_or(path.clone(), |from| format!("{path} from {from}")));
        log.len() - 1
    };
    answer(&Asked { path, from, number }).send(&mut stream, usize::MAX).ok()
}
