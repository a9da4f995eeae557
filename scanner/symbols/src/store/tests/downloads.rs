//! Downloads from a server of this machine that behaves well, badly, and with intent.

use super::{
    cabinets::cabinet,
    server::{Answer, Server},
    *,
};
use crate::store::download::turn::{FOLDER as LOCKS, Turn};
use std::time::{Duration, Instant};

fn quick() -> Options {
    let limits = Limits {
        bytes: 1 << 20,
        connect: Duration::from_secs(5),
        silence: Duration::from_millis(400),
        whole: Duration::from_secs(3),
    };
    Options { download: true, force: false, limits }
}

fn path(server: &Server, store: &Folder) -> SymbolPath {
    SymbolPath::parse(&format!("srv*{}*{}", store.0.display(), server.url), None).unwrap()
}

fn find(server: &Server, store: &Folder) -> Result<Option<Found>> {
    path(server, store).find(NAME, id(), &quick())
}

/// Files in a folder and below; empty lock files do not count.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        match path.is_dir() {
            true if path.ends_with(LOCKS) => {}
            true => found.extend(files(&path)),
            false => found.push(path.file_name().unwrap().to_string_lossy().into_owned()),
        }
    }
    found.sort();
    found
}

fn wanted() -> String {
    format!("/{NAME}/{}/{NAME}", id().server_key())
}

/// Downloads, looks at the error, and sees that the store holds nothing but what is named.
fn fails(answer: impl Fn(&server::Asked) -> Answer + Send + Sync + 'static, says: &str, left: &[&str]) {
    let (server, store) = (Server::new(answer), Folder::new());
    let start = Instant::now();
    let error = find(&server, &store).unwrap_err().to_string();
    assert!(error.contains(says), "{error}");
    assert!(error.contains(&server.url) && !error.contains(|c: char| c.is_control()), "{error}");
    assert!(start.elapsed() < Duration::from_secs(20));
    let files = files(&store.0);
    assert!(
        files.len() == left.len() && files.iter().zip(left).all(|(file, end)| file.ends_with(end)),
        "{files:?}"
    );
}

#[test]
fn a_file_is_kept_and_found_again() {
    let (server, store) = (Server::new(|_| Answer::ok(&pdb_of(id()))), Folder::new());
    assert!(path(&server, &store).find(NAME, id(), &Options::default()).unwrap().is_none());
    assert_eq!(server.log().len(), 0, "nothing is asked unless it is allowed");
    let found = find(&server, &store).unwrap().unwrap();
    assert_eq!(found.origin, format!("{}{}", server.url, wanted()));
    assert_eq!((found.profile.symbols["Symbol"], found.kind), (0x1008, FileKind::Pdb));
    assert_eq!(server.log(), [wanted()]);
    let again = find(&server, &store).unwrap().unwrap();
    assert!(again.origin.starts_with(store.0.to_str().unwrap()), "{}", again.origin);
    assert_eq!((server.log().len(), files(&store.0)), (1, vec![NAME.to_string()]));
}

#[test]
fn a_compressed_file_is_expanded() {
    let packed = cabinet(&[("x.pdb", &pdb_of(id()))], cab::CompressionType::MsZip);
    let server = Server::new(move |asked| match asked.path.ends_with("ntkrnlmp.pd_") {
        true => Answer::ok(&packed),
        false => Answer::missing(),
    });
    let store = Folder::new();
    assert!(find(&server, &store).unwrap().unwrap().origin.ends_with("ntkrnlmp.pd_"));
    assert_eq!(files(&store.0), [NAME]);
    assert_eq!(fs::read(store.0.join(&wanted()[1..])).unwrap(), pdb_of(id()));
}

#[test]
fn a_server_without_the_file() {
    let (server, store) = (Server::new(|_| Answer::missing()), Folder::new());
    assert!(find(&server, &store).unwrap().is_none());
    let (ends, log) = ([NAME, "ntkrnlmp.pd_", "file.ptr"], server.log());
    assert!(log.len() == 3 && log.iter().zip(ends).all(|(path, end)| path.ends_with(end)), "{log:?}");
    let folders: Vec<_> = fs::read_dir(&store.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(folders, [LOCKS], "no folders for a file that is not there");
}

#[test]
fn the_next_server_is_asked() {
    let (broken, good) =
        (Server::new(|_| Answer::Plain(500, vec![], vec![])), Server::new(|_| Answer::ok(&pdb_of(id()))));
    let store = Folder::new();
    let text = format!("srv*{0}*{1};srv*{0}*{2}", store.0.display(), broken.url, good.url);
    let found = SymbolPath::parse(&text, None).unwrap().find(NAME, id(), &quick()).unwrap().unwrap();
    assert!(found.origin.starts_with(&good.url) && found.problems[0].contains("answered 500"));
}

#[test]
fn a_cut_connection_goes_on() {
    let pdb = pdb_of(id());
    let server = Server::new(move |asked| match asked.number {
        0 => Answer::Cut(Box::new(Answer::ranged(&pdb, asked)), 5000),
        1 => Answer::Cut(Box::new(Answer::ranged(&pdb, asked)), 3000),
        _ => Answer::ranged(&pdb, asked),
    });
    let store = Folder::new();
    find(&server, &store).unwrap().unwrap();
    assert_eq!(
        server.log(),
        [wanted(), format!("{} from 5000", wanted()), format!("{} from 8000", wanted())]
    );
    assert_eq!(fs::read(store.0.join(&wanted()[1..])).unwrap(), pdb_of(id()));
}

/// Cut off again and again in the first run; the second run goes on where the first stopped.
#[test]
fn the_next_run_goes_on() {
    let pdb = pdb_of(id());
    let server = Server::new(move |asked| match asked.number {
        0 => Answer::Cut(Box::new(Answer::ranged(&pdb, asked)), 5000),
        1 => Answer::Cut(Box::new(Answer::ranged(&pdb, asked)), 0),
        _ => Answer::ranged(&pdb, asked),
    });
    let store = Folder::new();
    let error = find(&server, &store).unwrap_err().to_string();
    assert!(error.contains("5000 bytes are kept"), "{error}");
    find(&server, &store).unwrap().unwrap();
    assert_eq!(server.log()[2], format!("{} from 5000", wanted()));
    assert_eq!(files(&store.0), [NAME]);
}

#[test]
fn a_server_that_ignores_ranges() {
    let pdb = pdb_of(id());
    let server = Server::new(move |asked| match asked.number {
        0 => Answer::Cut(Box::new(Answer::ok(&pdb)), 5000),
        _ => Answer::ok(&pdb),
    });
    let store = Folder::new();
    find(&server, &store).unwrap().unwrap();
    assert_eq!(fs::read(store.0.join(&wanted()[1..])).unwrap(), pdb_of(id()));
}

#[test]
fn a_shorter_file_than_what_is_kept() {
    let pdb = pdb_of(id());
    let server = Server::new(move |asked| match (asked.number, asked.from) {
        (0, _) => Answer::Cut(Box::new(Answer::ok(&[0; 1 << 19])), 1 << 18),
        (_, Some(_)) => Answer::Plain(416, vec![], vec![]),
        _ => Answer::ok(&pdb),
    });
    find(&server, &Folder::new()).unwrap().unwrap();
}

#[test]
fn wrong_files_are_not_kept() {
    let other = PdbId { guid: [7; 16], age: 1 };
    fails(move |_| Answer::ok(&pdb_of(other)), &other.to_string(), &[]);
    fails(|_| Answer::ok(b"<html>please log in</html>"), "not a readable PDB", &[]);
    fails(|_| Answer::ok(&pdb_of(id())[..0x3000]), "cut off", &[]);
    fails(
        |_| Answer::Plain(206, vec![("Content-Range", "bytes 7-9/10".into())], vec![1; 3]),
        "another part",
        &[],
    );
    let bomb = cabinet(&[("a", &vec![0; 4 << 20])], cab::CompressionType::MsZip);
    fails(move |_| Answer::ok(&bomb), "expands to more", &[]);
}

#[test]
fn too_much_and_too_slow() {
    fails(|_| Answer::Endless, "more than 1048576 bytes", &[]);
    fails(|_| Answer::ok(&vec![0; 2 << 20]), "more than 1048576 bytes", &[]);
    fails(|_| Answer::Slow(Duration::from_millis(100)), "it took more than 3 seconds", &[".part"]);
    fails(|_| Answer::Silence(Duration::from_secs(9)), "", &[]);
}

#[test]
fn redirects_and_pointers() {
    let target = Server::new(|_| Answer::ok(&pdb_of(id())));
    let url = target.url.clone() + "/elsewhere?sig=1";
    let server = Server::new(move |_| Answer::redirect(&url));
    let found = find(&server, &Folder::new()).unwrap().unwrap();
    assert_eq!((target.log(), found.problems.len()), (vec!["/elsewhere?sig=1".to_string()], 0));
    for to in ["file:///etc/passwd", "ftp://127.0.0.1/x", "//127.0.0.1/x", "\\\\host\\share", "gopher://x"] {
        fails(move |_| Answer::redirect(to), "which is not followed", &[]);
    }
    fails(|asked| Answer::redirect(&asked.path), "again and again", &[]);
    let pointer = |asked: &server::Asked| match asked.path.ends_with("file.ptr") {
        true => Answer::ok(b"PATH:\\\\host\\share\\x.pdb\r\n\x1b[2J"),
        false => Answer::missing(),
    };
    fails(pointer, "only points to another place (PATH:", &[]);
}

const IMAGE: &str = "contoso.sys";
const IMAGE_ID: ImageId = ImageId { timestamp: 0x0bad_cafe, size: 0x1_f000 };

/// The headers of an image, as far as they state what it is, and something behind them.
fn image_of(id: ImageId) -> Vec<u8> {
    let mut bytes = vec![0; 0x4000];
    bytes[..2].copy_from_slice(b"MZ");
    for (at, value) in [(0x3c, 0x80), (0x80, 0x4550), (0x88, id.timestamp), (0x80 + 24 + 56, id.size)] {
        bytes[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
    }
    bytes
}

fn find_image(path: &SymbolPath, options: &Options) -> Result<Option<Vec<u8>>> {
    match image(&[], path, IMAGE, IMAGE_ID) {
        Some(found) => Ok(Some(found)),
        None => download_image(path, IMAGE, IMAGE_ID, options),
    }
}

/// By link time with eight digits, and size with as few as it needs.
const IMAGE_URL: &str = "/contoso.sys/0BADCAFE1f000/contoso.sys";

#[test]
fn an_image_is_kept_and_found_again() {
    let (server, store) = (Server::new(|_| Answer::ok(&image_of(IMAGE_ID))), Folder::new());
    let path = path(&server, &store);
    assert_eq!(find_image(&path, &Options::default()), Ok(None));
    assert_eq!(server.log().len(), 0, "nothing is asked unless it is allowed");
    assert_eq!(find_image(&path, &quick()), Ok(Some(image_of(IMAGE_ID))));
    assert_eq!(server.log(), [IMAGE_URL]);
    assert_eq!(fs::read(store.0.join(&IMAGE_URL[1..])).unwrap(), image_of(IMAGE_ID));
    assert_eq!(find_image(&path, &Options::default()), Ok(Some(image_of(IMAGE_ID))));
    assert_eq!((server.log().len(), files(&store.0)), (1, vec![IMAGE.to_string()]));
}

#[test]
fn an_image_that_arrives_in_parts_and_compressed() {
    let packed = cabinet(&[("x", &image_of(IMAGE_ID))], cab::CompressionType::None);
    let server = Server::new(move |asked| match (asked.path.ends_with("contoso.sy_"), asked.number) {
        (false, _) => Answer::missing(),
        (true, 1) => Answer::Cut(Box::new(Answer::ranged(&packed, asked)), 5000),
        (true, _) => Answer::ranged(&packed, asked),
    });
    let store = Folder::new();
    assert_eq!(find_image(&path(&server, &store), &quick()), Ok(Some(image_of(IMAGE_ID))));
    assert!(server.log()[2].ends_with("contoso.sy_ from 5000"), "{:?}", server.log());
    assert_eq!(files(&store.0), [IMAGE]);
}

#[test]
fn wrong_images_are_not_kept() {
    let other = ImageId { timestamp: 0x0bad_caff, ..IMAGE_ID };
    let larger = ImageId { size: 0x2_0000, ..IMAGE_ID };
    let packed = cabinet(&[("x", &image_of(other))], cab::CompressionType::MsZip);
    let far = [&b"MZ"[..], &[0xff; 0x100]].concat();
    let cases = [
        (image_of(other), "it is of link time 0BADCAFF and size 0x1f000, but link time 0BADCAFE"),
        (image_of(larger), "size 0x20000, but"),
        (packed, "it is of link time 0BADCAFF"),
        (pdb_of(id()), "it is not an image"),
        (image_of(IMAGE_ID)[..0x90].to_vec(), "it is not an image"),
        (far, "it is not an image"),
        (Vec::new(), "it is not an image"),
        (vec![0; 2 << 20], "more than 1048576 bytes"),
    ];
    for (bytes, says) in cases {
        let (server, store) = (Server::new(move |_| Answer::ok(&bytes)), Folder::new());
        let error = find_image(&path(&server, &store), &quick()).unwrap_err().to_string();
        assert!(error.contains(says) && error.contains(&server.url), "{error}");
        assert_eq!(files(&store.0), Vec::<String>::new(), "{says}");
    }
}

#[test]
fn the_next_server_is_asked_for_an_image() {
    let broken = Server::new(|_| Answer::Plain(500, vec![], vec![]));
    let good = Server::new(|_| Answer::ok(&image_of(IMAGE_ID)));
    let (none, store) = (Server::new(|_| Answer::missing()), Folder::new());
    let of = |servers: &[&Server]| {
        let elements: Vec<String> =
            servers.iter().map(|server| format!("srv*{}*{}", store.0.display(), server.url)).collect();
        find_image(&SymbolPath::parse(&elements.join(";"), None).unwrap(), &quick())
    };
    assert_eq!(of(&[&none]), Ok(None));
    assert!(of(&[&none, &broken]).unwrap_err().to_string().contains("answered 500"));
    assert_eq!(of(&[&broken, &good]), Ok(Some(image_of(IMAGE_ID))));
}

/// Many threads want the image at once; a server that does not have it is asked once.
#[test]
fn a_library_asks_once() {
    let server = Server::new(|asked| match asked.path.contains(IMAGE) {
        true => Answer::ok(&image_of(IMAGE_ID)),
        false => Answer::Plain(500, vec![], vec![]),
    });
    let store = Folder::new();
    let library = crate::Library::new(path(&server, &store), quick(), None);
    let ask = |name| crate::Provider::image(&library, name, IMAGE_ID.timestamp, IMAGE_ID.size);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(ask(IMAGE), Ok(Some(image_of(IMAGE_ID)))));
            scope.spawn(|| assert!(ask("other.sys").unwrap_err().to_string().contains("answered 500")));
        }
    });
    assert_eq!(server.log().len(), 2, "{:?}", server.log());
    assert_eq!(ask("..\\evil.sys"), Ok(None));
    assert_eq!(server.log().len(), 2);
}

/// Neither of two images comes before both were asked for.
#[test]
fn one_image_does_not_wait_for_another() {
    let both = std::sync::Barrier::new(2);
    let server = Server::new(move |_| {
        both.wait();
        Answer::ok(&image_of(IMAGE_ID))
    });
    let store = Folder::new();
    let long = Duration::from_secs(60);
    let limits = Limits { connect: long, silence: long, whole: long, ..quick().limits };
    let patient = Options { limits, ..quick() };
    let library = crate::Library::new(path(&server, &store), patient, None);
    let ask = |name| crate::Provider::image(&library, name, IMAGE_ID.timestamp, IMAGE_ID.size);
    std::thread::scope(|scope| {
        for name in [IMAGE, "other.sys"] {
            scope.spawn(move || assert_eq!(ask(name), Ok(Some(image_of(IMAGE_ID))), "{name}"));
        }
    });
    assert_eq!(server.log().len(), 2, "{:?}", server.log());
}

/// Comparing code with files: what stack walks or other dumps have downloaded makes no difference.
#[test]
fn what_was_downloaded_is_not_at_hand() {
    let (server, store) = (Server::new(|_| Answer::ok(&image_of(IMAGE_ID))), Folder::new());
    let at_hand = |library: &crate::Library| {
        crate::Provider::image_at_hand(library, IMAGE, IMAGE_ID.timestamp, IMAGE_ID.size)
    };
    let of = |path: SymbolPath| crate::Library::new(path, quick(), None);
    let library = of(path(&server, &store));
    assert_eq!(at_hand(&library), None);
    let ask = || crate::Provider::image(&library, IMAGE, IMAGE_ID.timestamp, IMAGE_ID.size);
    assert_eq!((ask(), ask()), (Ok(Some(image_of(IMAGE_ID))), Ok(Some(image_of(IMAGE_ID)))));
    assert_eq!(server.log(), [IMAGE_URL]);
    assert_eq!(at_hand(&library), None, "it is in the store now");
    // A store without a server, a folder, and what --images names.
    let alone = SymbolPath::parse(&format!("srv*{}", store.0.display()), None).unwrap();
    for library in [of(alone), of(store.path()), library.with_images(vec![store.0.clone()])] {
        assert_eq!(at_hand(&library), Some(image_of(IMAGE_ID)));
    }
}

#[test]
fn names_with_tricks_are_never_asked_for() {
    let (server, store) = (Server::new(|_| Answer::ok(&pdb_of(id()))), Folder::new());
    let path = path(&server, &store);
    for name in
        ["../x.pdb", "a/../../x.pdb", "x.pdb?y", "x\r\nHost: y", "http://x/y.pdb", "CON", "..%5c.pdb/.."]
    {
        assert!(path.find(name, id(), &quick()).is_err(), "{name:?}");
    }
    assert!(server.log().is_empty());
    path.find("a #%&+b.pdb", id(), &quick()).unwrap().unwrap();
    assert!(server.log()[0].starts_with("/a%20%23%25%26%2Bb.pdb/"), "{:?}", server.log());
}

#[test]
fn a_server_that_is_not_there() {
    let store = Folder::new();
    let text = format!("srv*{}*http://127.0.0.1:9", store.0.display());
    let error = SymbolPath::parse(&text, None).unwrap().find(NAME, id(), &quick()).unwrap_err().to_string();
    assert!(error.contains("127.0.0.1:9"), "{error}");
    // A server that does not speak TLS: an error, and neither a panic nor a request in the clear.
    let server = Server::new(|_| Answer::ok(&pdb_of(id())));
    let text = format!("srv*{}*{}", store.0.display(), server.url.replace("http:", "https:"));
    assert!(SymbolPath::parse(&text, None).unwrap().find(NAME, id(), &quick()).is_err());
    assert!(server.log().iter().all(|path| !path.contains(NAME)));
}

/// Bounds that no busy machine reaches.
fn patient() -> Options {
    let long = Duration::from_secs(300);
    Options { limits: Limits { silence: long, whole: long, ..quick().limits }, ..quick() }
}

/// Answers late, so that all who want a file want it at once.
fn late(body: Vec<u8>) -> Server {
    Server::new(move |_| {
        std::thread::sleep(Duration::from_millis(200));
        Answer::ok(&body)
    })
}

/// What several threads get that begin together. A lock of a file does not tell them from processes.
fn together<T: Send>(ask: impl Fn() -> T + Sync) -> Vec<T> {
    let begin = std::sync::Barrier::new(4);
    let one = || {
        begin.wait();
        ask()
    };
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    })
}

#[test]
fn all_who_want_a_file_get_it_by_one_download() {
    let (server, store) = (late(pdb_of(id())), Folder::new());
    for found in together(|| path(&server, &store).find(NAME, id(), &patient())) {
        assert_eq!(found.unwrap().unwrap().profile.id, Some(id()));
    }
    assert_eq!((server.log(), files(&store.0)), (vec![wanted()], vec![NAME.to_string()]));
    let (server, store) = (late(pdb_of(id())), Folder::new());
    for found in together(|| path(&server, &store).pdb(NAME, id(), &patient())) {
        assert_eq!(found.unwrap().unwrap().bytes, pdb_of(id()));
    }
    assert_eq!(server.log(), [wanted()]);
    // As each worker does, every one with a library of its own.
    let (server, store) = (late(image_of(IMAGE_ID)), Folder::new());
    let ask = || {
        let library = crate::Library::new(path(&server, &store), patient(), None);
        crate::Provider::image(&library, IMAGE, IMAGE_ID.timestamp, IMAGE_ID.size)
    };
    for found in together(ask) {
        assert_eq!(found, Ok(Some(image_of(IMAGE_ID))));
    }
    assert_eq!(server.log(), [IMAGE_URL]);
}

/// Who waits for one whose download fails tries it too, and none waits longer than a download may take.
#[test]
fn waiting_for_others_ends() {
    let server = Server::new(|asked| match asked.number {
        0 => Answer::Plain(500, vec![], vec![]),
        _ => Answer::ok(&pdb_of(id())),
    });
    let store = Folder::new();
    let found = together(|| path(&server, &store).find(NAME, id(), &patient()));
    assert_eq!(found.iter().filter(|found| found.is_err()).count(), 1, "{found:?}");
    assert_eq!(server.log(), [wanted(), wanted()]);

    let (server, store) = (Server::new(|_| Answer::ok(&pdb_of(id()))), Folder::new());
    let held = Turn::wait(&store.0, NAME, &id().server_key(), Duration::ZERO).unwrap();
    let mut options = quick();
    options.limits.whole = Duration::from_millis(100);
    let error = path(&server, &store).find(NAME, id(), &options).unwrap_err().to_string();
    assert!(error.contains("another process") && server.log().is_empty(), "{error}");
    drop(held);
    assert!(find(&server, &store).unwrap().is_some());
}
