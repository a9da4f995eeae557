//! A lake may come from somebody else: what its staging folder says is data, not an instruction.

use crate::{Lake, scratch::Scratch};
use std::{
    fs,
    path::{Path, PathBuf},
};

const ID: &str = "d0123456789abcdef";

/// A lake beside a folder `mine`, with one committed staging folder that holds `manifest`.
fn planted(root: &Path, manifest: &str) -> PathBuf {
    let (lake, mine) = (root.join("lake"), root.join("mine"));
    let ready = lake.join(".staging/x.ready");
    for folder in [mine.join("modules"), lake.join("dumps/dump_id=x"), ready.join("dumps")] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::write(mine.join("letter"), "dear").unwrap();
    fs::write(ready.join("manifest"), manifest).unwrap();
    lake
}

#[test]
fn a_manifest_cannot_name_what_is_outside_of_the_lake() {
    let scratch = Scratch::new("outside");
    let mine = scratch.0.join("mine");
    let manifests = [
        "x/../../../mine\ndumps\n".to_string(),
        format!("{ID}\ndumps\n../../mine\n"),
        format!("{ID}\n{}\ndumps\n", mine.display()),
        format!("{ID}\n\ndumps\n"),
        "\n".to_string(),
        String::new(),
    ];
    for manifest in manifests {
        let lake = planted(&scratch.0, &manifest);
        Lake::open(&lake).unwrap();
        assert_eq!(fs::read_to_string(mine.join("letter")).unwrap(), "dear", "{manifest:?}");
        assert!(mine.join("modules").is_dir(), "{manifest:?}");
        assert!(lake.join("dumps/dump_id=x").is_dir(), "{manifest:?}");
        assert!(!lake.join(".staging/x.ready").exists(), "{manifest:?}");
        assert!(!lake.join("dumps").join(format!("dump_id={ID}")).exists(), "{manifest:?}");
    }
}

#[test]
fn a_manifest_that_was_cut_off_publishes_nothing() {
    let scratch = Scratch::new("cut");
    let lake = Lake::create_or_open(&scratch.0.join("lake")).unwrap();
    let ready = lake.root().join(".staging/y.ready");
    fs::create_dir_all(ready.join("dumps")).unwrap();
    fs::create_dir_all(ready.join("modules")).unwrap();
    fs::write(ready.join("manifest"), format!("{ID}\ndumps\n")).unwrap(); // `modules` and the end are missing
    Lake::open(lake.root()).unwrap();
    assert!(!ready.exists());
    assert_eq!(lake.dump_ids(), Vec::<String>::new());
}

/// A lake on a medium that cannot be written, or another user's, must open.
#[test]
fn opening_a_lake_in_which_nothing_is_pending_writes_nothing() {
    let scratch = Scratch::new("read-only");
    let root = scratch.0.join("lake");
    Lake::create_or_open(&root).unwrap();
    let staging = root.join(".staging");
    fs::remove_file(staging.join("publication")).unwrap();
    fs::create_dir(staging.join("another.tmp")).unwrap(); // somebody else's conversion
    Lake::open(&root).unwrap();
    let left: Vec<_> = fs::read_dir(&staging).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["another.tmp"]);
}

/// `dumps` is what people call a folder of dumps, too.
#[test]
fn a_folder_with_a_folder_of_dumps_is_no_lake() {
    let scratch = Scratch::new("no-lake");
    fs::create_dir_all(scratch.0.join("dumps/monday")).unwrap();
    fs::write(scratch.0.join("dumps/MEMORY.DMP"), "PAGE").unwrap();
    let refused = Lake::create_or_open(&scratch.0).unwrap_err().to_string();
    assert!(refused.contains("other things"), "{refused}");
    assert!(Lake::open(&scratch.0).is_err());
    assert!(!scratch.0.join(".staging").exists());
    fs::create_dir_all(scratch.0.join("dumps").join(format!("dump_id={ID}"))).unwrap();
    assert_eq!(Lake::open(&scratch.0).unwrap().dump_ids(), [ID]);
}

/// What recovery removes must lie in the lake.
#[test]
#[cfg(unix)]
fn a_staging_folder_that_is_a_link_is_refused() {
    let scratch = Scratch::new("link");
    let (lake, mine) = (scratch.0.join("lake"), scratch.0.join("mine"));
    fs::create_dir_all(mine.join("letters.tmp")).unwrap();
    fs::create_dir_all(mine.join("a.ready")).unwrap();
    fs::create_dir_all(lake.join("dumps").join(format!("dump_id={ID}"))).unwrap();
    std::os::unix::fs::symlink(&mine, lake.join(".staging")).unwrap();
    for opened in [Lake::open(&lake), Lake::create_or_open(&lake)] {
        let refused = opened.unwrap_err().to_string();
        assert!(refused.contains("link"), "{refused}");
    }
    assert!(mine.join("letters.tmp").is_dir() && mine.join("a.ready").is_dir());
}
