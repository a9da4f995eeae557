//! `dumplake symbols`, and the library of layouts that a conversion uses.

use crate::{Result, args, report::json_text};
use ::symbols::{
    Library, collect,
    pack::{self, Pack},
    store::{self, Options, SymbolPath},
};
use queries::safe::terminal;
use scan::nt;
use serde_json::json;
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

/// What a conversion reads kernels with. The pack lives as long as the program.
pub fn library(options: &args::SymbolOptions) -> Result<Library<'static>> {
    let pack = match &options.pack {
        None => Pack::built_in(),
        Some(path) if path.as_os_str() == "none" => None,
        Some(path) => Some(&*Box::leak(Box::new(read_pack(path)?))),
    };
    let store = default_store();
    let mut path = SymbolPath::default();
    for text in &options.symbol_paths {
        path.append(SymbolPath::from_option(text, store.as_deref())?);
    }
    // A file that cannot be used at all is a slip of the hand, and better said before hours of work than after.
    path.files().try_for_each(|file| store::read(file).map(drop))?;
    // The variable that debuggers use; the options come first.
    if let Ok(text) = std::env::var("_NT_SYMBOL_PATH") {
        path.append(SymbolPath::parse(&text, store.as_deref())?);
    }
    let (download, force) = (options.download_symbols, options.force_symbols);
    let search = Options { download, force, ..Options::default() };
    if options.download_symbols && path.servers().next().is_none() {
        return Err("--download-symbols: no symbol server is named; add --symbols https://...".into());
    }
    if let Some(absent) = options.images.iter().find(|place| !place.exists()) {
        return Err(format!("--images {}: no such file or folder", absent.display()).into());
    }
    Ok(Library::new(path, search, pack).with_images(options.images.clone()))
}

/// Says on standard error which files of `--symbols` no dump was read with.
pub fn warn_of_unused(files: impl Iterator<Item = PathBuf>) {
    for file in files {
        let shown = file.display().to_string();
        eprintln!(
            "warning: {} was not used: no dump of this run states that its kernel is this one; \
             --force-symbols uses it all the same",
            terminal(&shown)
        );
    }
}

/// Where downloads are kept unless the symbol path names a folder.
fn default_store() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE"))?;
    Some(Path::new(&home).join(".cache/dumplake/symbols"))
}

/// The options that change rows, for `dumps.options`.
pub fn described(options: &args::SymbolOptions) -> Option<String> {
    let mut words: Vec<String> = options.symbol_paths.iter().map(|path| format!("symbols={path}")).collect();
    words.extend(std::env::var("_NT_SYMBOL_PATH").ok().map(|path| format!("symbol-path={path}")));
    words.extend(options.download_symbols.then(|| "download-symbols".to_string()));
    words.extend(options.force_symbols.then(|| "force-symbols".to_string()));
    words.extend(options.images.iter().map(|place| format!("images={}", place.display())));
    words.extend(options.pack.as_ref().map(|path| format!("pack={}", path.display())));
    (!words.is_empty()).then(|| words.join(" "))
}

fn read_pack(path: &Path) -> Result<Pack> {
    let named = |why: String| format!("{}: {why}", path.display());
    let bytes = fs::read(path).map_err(|e| named(e.to_string()))?;
    Ok(Pack::parse(&bytes).map_err(|e| named(e.to_string()))?)
}

/// Runs the command; the value is the exit code.
pub fn command(args: &args::Symbols) -> Result<u8> {
    match &args.command {
        args::SymbolsCommand::List { pack, json } => list(pack.as_deref(), *json),
        args::SymbolsCommand::Pack { from, output } => make(from, output),
    }
}

fn list(path: Option<&Path>, as_json: bool) -> Result<u8> {
    let own = path.map(read_pack).transpose()?;
    let pack = own.as_ref().or_else(|| Pack::built_in()).ok_or("this program has no pack inside")?;
    let mut out = std::io::stdout().lock();
    for kernel in pack.kernels() {
        let pack::Kernel { architecture, build, revision, pdb_name, id, source } = kernel;
        let id = id.map(|id| id.to_string());
        if as_json {
            let row = json!({ "architecture": architecture, "build": build, "revision": revision,
                "pdb_name": pdb_name, "pdb": id, "source": source });
            writeln!(out, "{}", json_text(row))?;
            continue;
        }
        let revision = revision.map_or("?".into(), |revision| revision.to_string());
        let exact = id.unwrap_or_else(|| "types only".into());
        let line = format!("{architecture:<6} {build}.{revision:<6} {exact:<36} {source}");
        writeln!(out, "{}", terminal(&line))?;
    }
    if !as_json {
        let (kernels, images) = (pack.kernels().count(), pack.images().len());
        writeln!(out, "{kernels} kernels; {images} kernel images are told by link time and size")?;
    }
    Ok(0)
}

fn make(from: &[PathBuf], output: &Path) -> Result<u8> {
    let collected = collect::collect(from, &nt::wanted())?;
    for problem in &collected.problems {
        eprintln!("{}", terminal(problem));
    }
    let (kernels, images) = (collected.kernels.len(), collected.images.len());
    if kernels == 0 {
        return Err(
            "no kernel's layouts were found: name folders of ISF files or other public layout data".into()
        );
    }
    let bytes = pack::build(collected.kernels, collected.images)?;
    let partial = output.with_extension("partial");
    fs::write(&partial, &bytes)?;
    fs::rename(&partial, output)?;
    let (shown, size) = (output.display(), bytes.len());
    writeln!(std::io::stdout(), "{shown}: {kernels} kernels, {images} images, {size} bytes")?;
    Ok(u8::from(!collected.problems.is_empty()))
}
