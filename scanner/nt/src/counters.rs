//! Counters of memory management: what `!vm` shows.
//!
//! Up to Windows 8.1 each is a variable (`MmAvailablePages`). Since Windows 10 they are members of the system
//! partition (`MiSystemPartition`, `_MI_PARTITION`) and of `MiState` (`_MI_SYSTEM_INFORMATION.Vs`).

use crate::{System, layout};
use memory::{PAGE_SIZE, Va};
use symbols::Field;

layout! {
    /// `_MI_PARTITION`: the system partition since Windows 10.
    MiPartition = "_MI_PARTITION" {
        physical_pages ? "Vp.NumberOfPhysicalPages",
        paging_files ? "Vp.NumberOfPagingFiles",
        available ? "Vp.AvailablePages",
        resident_available ? "Vp.ResidentAvailablePages",
        committed ? "Vp.TotalCommittedPages",
        commit_limit ? "Vp.TotalCommitLimit",
        peak_commitment ? "Commit.PeakCommitment",
        commit_limit_maximum ? "Commit.TotalCommitLimitMaximum",
        shared_commit ? "Vp.SharedCommit",
        zeroed ? "PageLists.ZeroedPageListHead.Total",
        free ? "PageLists.FreePageListHead.Total",
        standby ? "PageLists.StandbyPageListHead.Total",
        bad ? "PageLists.BadPageListHead.Total",
        modified ? "Vp.ModifiedPageListHead.Total",
        modified_no_write ? "Vp.ModifiedNoWritePageListHead.Total",
    }
}

layout! {
    /// `_MI_SYSTEM_INFORMATION` (`MiState`).
    MiSystemInformation = "_MI_SYSTEM_INFORMATION" {
        maximum_nonpaged_pool ? "Vs.MaximumNonPagedPoolInPages",
        size_of_paged_pool ? "Vs.SizeOfPagedPoolInPages",
        nonpaged_pool_commit ? "Vs.NonPagedPoolCommit",
        boot_commit ? "Vs.BootCommit",
        mdl_pages ? "Vs.MdlPagesAllocated",
        page_table_commit ? "Vs.SystemPageTableCommit",
        process_commit ? "Vs.ProcessCommit",
        shared_commit ? "Vs.SharedCommit",
        driver_commit ? "Vs.DriverCommit",
    }
}

layout! {
    /// `_MMPFNLIST`: a page list head of older kernels.
    MmPfnList = "_MMPFNLIST" {
        total ? "Total",
    }
}

/// A counter that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// Its name, alike in every build.
    pub name: &'static str,
    /// Its value, in `unit`.
    pub value: u64,
    /// `pages`, `bytes` or `files`.
    pub unit: &'static str,
    /// The variable or member that it was read from.
    pub source: String,
    /// Where it stands.
    pub va: Va,
}

impl Counter {
    /// The value in bytes, for pages and bytes.
    pub fn bytes(&self) -> Option<u64> {
        match self.unit {
            "pages" => self.value.checked_mul(PAGE_SIZE),
            "bytes" => Some(self.value),
            _ => None,
        }
    }
}

/// Where a counter stands in an old kernel, in the partition, and in the state.
struct Spec {
    name: &'static str,
    unit: &'static str,
    variable: &'static str,
    /// The variable is a page list, whose total counts.
    is_list: bool,
    partition: Option<Field>,
    state: Option<Field>,
}

impl System<'_> {
    /// Every counter that this kernel has and whose memory is in the dump.
    pub fn memory_counters(&self) -> Vec<Counter> {
        let (partition, state) = (MiPartition::of(self), MiSystemInformation::of(self));
        let total = MmPfnList::of(self).total;
        let found: Vec<Counter> =
            specs(&partition, &state).iter().filter_map(|spec| self.counter(spec, total)).collect();
        if found.is_empty() {
            let expected = "variables such as MmAvailablePages, or MiSystemPartition";
            self.problem("missing_symbol", "memory_counters", "", None, expected, "none of them");
        }
        found
    }

    fn counter(&self, spec: &Spec, total: Option<Field>) -> Option<Counter> {
        let width = self.pointer_size();
        let whole = Field { offset: 0, size: width, bits: None };
        let variable = (if spec.is_list { total } else { Some(whole) })
            .and_then(|field| self.read_counter(spec, spec.variable, spec.variable, field));
        let path = |variable: &str| format!("{variable} {}", spec.name);
        variable
            .or_else(|| {
                self.read_counter(spec, "MiSystemPartition", &path("MiSystemPartition"), spec.partition?)
            })
            .or_else(|| self.read_counter(spec, "MiState", &path("MiState"), spec.state?))
    }

    fn read_counter(&self, spec: &Spec, variable: &str, source: &str, field: Field) -> Option<Counter> {
        let base = self.global(variable).filter(|_| !variable.is_empty())?;
        let va = base.checked_add(field.offset.into())?;
        let value = self.view(base, 0).uint(Some(field))?;
        Some(Counter { name: spec.name, value, unit: spec.unit, source: source.into(), va })
    }
}

fn specs(p: &MiPartition, s: &MiSystemInformation) -> Vec<Spec> {
    let pages = |name, variable, partition, state| Spec {
        name,
        unit: "pages",
        variable,
        is_list: false,
        partition,
        state,
    };
    let list = |name, variable, partition| Spec { is_list: true, ..pages(name, variable, partition, None) };
    let other = |name, unit, variable, partition| Spec { unit, ..pages(name, variable, partition, None) };
    vec![
        pages("NumberOfPhysicalPages", "MmNumberOfPhysicalPages", p.physical_pages, None),
        pages("AvailablePages", "MmAvailablePages", p.available, None),
        pages("ResidentAvailablePages", "MmResidentAvailablePages", p.resident_available, None),
        pages("TotalCommittedPages", "MmTotalCommittedPages", p.committed, None),
        pages("TotalCommitLimit", "MmTotalCommitLimit", p.commit_limit, None),
        pages("PeakCommitment", "MmPeakCommitment", p.peak_commitment, None),
        pages("TotalCommitLimitMaximum", "MmTotalCommitLimitMaximum", p.commit_limit_maximum, None),
        pages("SharedCommit", "MmSharedCommit", p.shared_commit, s.shared_commit),
        pages("DriverCommit", "MmDriverCommit", None, s.driver_commit),
        pages("ProcessCommit", "MmProcessCommit", None, s.process_commit),
        pages("PagedPoolCommit", "MmPagedPoolCommit", None, None),
        pages("NonPagedPoolCommit", "", None, s.nonpaged_pool_commit),
        pages("AllocatedNonPagedPool", "MmAllocatedNonPagedPool", None, None),
        pages("BootCommit", "", None, s.boot_commit),
        pages("MdlPagesAllocated", "", None, s.mdl_pages),
        pages("SystemPageTableCommit", "", None, s.page_table_commit),
        pages("MaximumNonPagedPoolInPages", "", None, s.maximum_nonpaged_pool),
        pages("SizeOfPagedPoolInPages", "", None, s.size_of_paged_pool),
        other("MaximumNonPagedPoolInBytes", "bytes", "MmMaximumNonPagedPoolInBytes", None),
        other("SizeOfPagedPoolInBytes", "bytes", "MmSizeOfPagedPoolInBytes", None),
        other("NumberOfPagingFiles", "files", "", p.paging_files),
        list("ZeroedPages", "MmZeroedPageListHead", p.zeroed),
        list("FreePages", "MmFreePageListHead", p.free),
        list("StandbyPages", "MmStandbyPageListHead", p.standby),
        list("ModifiedPages", "MmModifiedPageListHead", p.modified),
        list("ModifiedNoWritePages", "MmModifiedNoWritePageListHead", p.modified_no_write),
        list("BadPages", "", p.bad),
    ]
}
