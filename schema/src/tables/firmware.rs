//! `firmware`: what the machine's own tables say.

use crate::table;

table! {
    /// One row for every SMBIOS table in the dump: maker, model and firmware of the machine, as Windows left them in the tagged data of the file (DSP0134 has the structures). Serial numbers and the UUID are not kept.
    pub firmware: Firmware of FirmwareRow {
        /// Where it stands: `tagged blob`.
        source: String,
        /// Offset of the table in the file.
        offset: u64,
        /// Version of the table, such as `3.2` (`RawSMBIOSData.SMBIOSMajorVersion`, `SMBIOSMinorVersion`).
        smbios_version: String,
        /// Structures that could be read.
        structures: u32,
        /// Whether the table ends with its last structure (type 127, or all its bytes used); false where it is cut off or damaged, see `faults`.
        complete: bool,
        /// Maker of the firmware (type 0, `Vendor`).
        bios_vendor: Option<String>,
        /// Version of the firmware (type 0, `BIOS Version`).
        bios_version: Option<String>,
        /// Its date as the maker wrote it, mostly `mm/dd/yyyy` (type 0, `BIOS Release Date`).
        bios_date: Option<String>,
        /// Its release, such as `5.17` (type 0, `System BIOS Major Release`, `Minor Release`); NULL where the maker gives none.
        bios_release: Option<String>,
        /// Release of the embedded controller's firmware (type 0, `Embedded Controller Firmware Major Release`, `Minor Release`).
        controller_release: Option<String>,
        /// Maker of the machine (type 1, `Manufacturer`).
        system_manufacturer: Option<String>,
        /// Model (type 1, `Product Name`).
        system_product: Option<String>,
        /// Its version (type 1, `Version`).
        system_version: Option<String>,
        /// Family of models (type 1, `Family`).
        system_family: Option<String>,
        /// Maker of the board (type 2, `Manufacturer`).
        board_manufacturer: Option<String>,
        /// Model of the board (type 2, `Product`).
        board_product: Option<String>,
        /// Its version (type 2, `Version`).
        board_version: Option<String>,
        /// The first processor by its name (type 4, `Processor Version`).
        processor: Option<String>,
        /// Sockets with a processor in them (type 4, `Status`).
        processor_sockets: u32,
        /// Memory modules that are there (type 17, `Size`).
        memory_modules: u32,
        /// Bytes of those that state their size (type 17, `Size`, `Extended Size`).
        memory_bytes: u64,
    }
}
