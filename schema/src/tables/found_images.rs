//! `found_images` and `found_records`: images and their marks wherever they lie in memory.

use crate::table;

table! {
    /// One row for every header of a PE image that lies on a page of memory, whether anything maps the page or any list of modules has the image.
    pub found_images: FoundImages of FoundImageRow {
        /// Physical address of the header; NULL in dumps of virtual memory.
        pa: Option<u64>,
        /// Virtual address of the header; NULL where nothing maps the page.
        va: Option<u64>,
        /// Process whose tables map it; NULL for kernel memory and unmapped pages.
        process_id: Option<u32>,
        /// Address of that process's `_EPROCESS`.
        process: Option<u64>,
        /// Several entries of page tables lead to the page, as they do to images that processes share.
        shared: bool,
        /// `header`: begins with `MZ`; `fragment`: only the PE header is there, its front was wiped or lies elsewhere. Of a fragment the addresses are those of the PE signature.
        kind: String,
        /// `IMAGE_FILE_HEADER.Machine`.
        machine: u32,
        /// `x86`, `x64`, `arm64`, `arm`, `ia64`.
        machine_name: String,
        /// `IMAGE_FILE_HEADER.TimeDateStamp`.
        timestamp: u32,
        /// `IMAGE_FILE_HEADER.Characteristics`; bit 13 (0x2000) is set in DLLs.
        characteristics: u32,
        /// `IMAGE_FILE_HEADER.NumberOfSections`.
        sections: u32,
        /// `IMAGE_OPTIONAL_HEADER.SizeOfImage`.
        size_of_image: u32,
        /// `IMAGE_OPTIONAL_HEADER.AddressOfEntryPoint`, relative.
        entry_point: u32,
        /// `IMAGE_OPTIONAL_HEADER.ImageBase`: where the image wants to be, or, in a loaded image, mostly where it is.
        image_base: u64,
        /// `IMAGE_OPTIONAL_HEADER.CheckSum`.
        checksum: u32,
        /// `IMAGE_OPTIONAL_HEADER.Subsystem`: 1 driver, 2 windows, 3 console.
        subsystem: u32,
        /// PDB name of the CodeView record, where the image is mapped and the record is there.
        pdb_name: Option<String>,
        /// GUID of that PDB.
        pdb_guid: Option<String>,
        /// Age of that PDB.
        pdb_age: Option<u32>,
        /// The list of modules that has an image at this address: `kernel` (`PsLoadedModuleList`), `user` (the loader of the process); NULL: none.
        in_list: Option<String>,
        /// Its name there.
        list_name: Option<String>,
    }
}

table! {
    /// One row for every CodeView record and every debugger block that lies in memory: which images were there, and where the kernel's own table of contents is.
    pub found_records: FoundRecords of FoundRecordRow {
        /// Physical address; NULL in dumps of virtual memory.
        pa: Option<u64>,
        /// Virtual address; NULL where nothing maps the page.
        va: Option<u64>,
        /// Process whose tables map it; NULL for kernel memory and unmapped pages.
        process_id: Option<u32>,
        /// `RSDS` (CodeView record: which PDB belongs to an image) or `KDBG` (`KDDEBUGGER_DATA64`).
        kind: String,
        /// PDB name of an `RSDS` record; it ends with the page where the rest is not mapped.
        pdb_name: Option<String>,
        /// GUID of an `RSDS` record.
        pdb_guid: Option<String>,
        /// Age of an `RSDS` record.
        pdb_age: Option<u32>,
        /// `Header.Size` of a debugger block.
        size: Option<u32>,
        /// `KernBase` of a debugger block.
        kernel_base: Option<u64>,
    }
}
