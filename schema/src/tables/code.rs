//! `code_checks`, `code_changes` and `code_pages`: is the code of the kernel's modules what their makers built?

use crate::table;

table! {
    /// One row for every kernel module of which an image file, imports or exports were at hand: how much of its code and of its imports could be compared, and what came of it. Code is compared with the image file of the same link time and size that `--images` gives, or a file, folder or store of the symbol path that no server fills: downloads are not used, so that the rows do not depend on what was downloaded before; imports with what the other modules in the dump export.
    pub code_checks: CodeChecks of CodeCheckRow {
        /// File name of the module.
        module: String,
        /// First address (`_KLDR_DATA_TABLE_ENTRY.DllBase`).
        base: u64,
        /// Whether its image file was found there.
        image_file: bool,
        /// Pages of its code that stay in memory, by the file's section table (`IMAGE_SCN_MEM_EXECUTE`, not `IMAGE_SCN_MEM_DISCARDABLE` or `IMAGE_SCN_MEM_WRITE`, and no section that Windows writes, such as `.retplne`); NULL without a file.
        code_pages: Option<u32>,
        /// Those that are in the dump and were compared, relocated to where the module is loaded; NULL without a file, or if the file has relocations that are not understood (see `faults`).
        pages_compared: Option<u32>,
        /// Places that differ because Windows patches them, as the file's dynamic relocations say (`IMAGE_DYNAMIC_RELOCATION_TABLE`): calls of imports, indirect calls, switch tables.
        patched_sites: Option<u32>,
        /// Places that differ for no such reason: rows of `code_changes` with kind `code`.
        changes: Option<u32>,
        /// Exported functions of which the first instruction was looked at; NULL where code was compared.
        entries: Option<u32>,
        /// Those that begin with a jump to code that the other module does not export: rows of kind `entry`.
        entries_elsewhere: Option<u32>,
        /// Imported functions of which the names could be read (import directory, of the dump, else of the file); NULL if none could: drivers have that directory in a part that is discarded after their start.
        imports: Option<u32>,
        /// Those whose entry in the import address table is in the dump, and whose export could be looked up, forwarders followed.
        imports_checked: Option<u32>,
        /// Those whose entry leads outside the module that exports the function: rows of kind `import`.
        imports_elsewhere: Option<u32>,
    }
}

table! {
    /// One row for every place where a kernel module's code or one of its imports is not what it should be.
    pub code_changes: CodeChanges of CodeChangeRow {
        /// File name of the module.
        module: String,
        /// First address of the module.
        base: u64,
        /// Address of the first byte that differs, of the export, or of the entry in the import address table.
        va: u64,
        /// `code`: bytes that differ from the image file; `entry`: an exported function that begins with a jump out of its module; `import`: an entry of the import address table that leads outside the module that exports the function.
        kind: &'static str,
        /// Bytes from the first one to the last one that differ; a change that goes on behind the end of a page is one.
        bytes: u32,
        /// Section that holds it; NULL where no section table was at hand.
        section: Option<String>,
        /// The function that holds it as far as exports or symbols tell, with the distance from its start; of an import the module and function that it should lead to.
        function: Option<String>,
        /// Bytes of the file, at most 16, hexadecimal; NULL without a file.
        expected: Option<String>,
        /// Bytes of the dump, at most 16, hexadecimal.
        found: String,
        /// What the bytes in the dump do: `jump`, `call`, `return`, `breakpoint`, `nothing` (instructions without effect), `pointer` (of an import), `other` for anything else. Decoded from the first byte of the file's instruction that holds the first byte that differs, which may lie in front of it; also `other`, without a target, where no known start of code (entry point, export, x64 unwind data, symbol of the kernel, place that Windows patches) leads to that instruction.
        effect: &'static str,
        /// Where the jump, call or pointer leads.
        target: Option<u64>,
        /// The same as `module+offset`; NULL if no loaded kernel module holds it.
        target_text: Option<String>,
        /// The module that holds it; NULL for none.
        target_module: Option<String>,
        /// Where it should lead: of an import the exported function.
        expected_target: Option<u64>,
    }
}

table! {
    /// One row for every page of code of a kernel module that is in the dump: what tells whether it is the same in another dump of the same run of Windows. Of another run it is not, because Windows writes addresses into code when it loads a module.
    pub code_pages: CodePages of CodePageRow {
        /// File name of the module.
        module: String,
        /// First address of the module.
        base: u64,
        /// Link time by its header (`IMAGE_FILE_HEADER.TimeDateStamp`).
        timestamp: Option<u32>,
        /// Address of the page relative to the module.
        rva: u32,
        /// Section that holds it; only those that stay in memory and may be executed and not written.
        section: String,
        /// First eight bytes of the page's BLAKE3 hash.
        hash: u64,
    }
}
