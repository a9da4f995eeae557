//! `pages`: who maps each frame, and what is on it.

use super::{Context, Harvest, Owner, Page, Part, Sweep};
use schema::{
    Table, TableSpec,
    tables::{PageRow, Pages as PagesTable},
};

/// The sweep.
pub struct Pages<'a> {
    context: Context<'a>,
}

impl<'a> Pages<'a> {
    /// Over a dump.
    pub fn new(context: Context<'a>) -> Pages<'a> {
        Pages { context }
    }
}

impl Sweep for Pages<'_> {
    fn name(&self) -> &'static str {
        "pages"
    }

    fn tables(&self) -> Vec<&'static TableSpec> {
        vec![PagesTable::spec()]
    }

    fn zero_pages(&self) -> bool {
        true
    }

    fn part(&self) -> Box<dyn Part + '_> {
        Box::new(Rows { context: self.context, rows: PagesTable::new() })
    }
}

struct Rows<'a> {
    context: Context<'a>,
    rows: PagesTable,
}

impl Part for Rows<'_> {
    fn page(&mut self, page: &Page<'_>) {
        let process = match page.owner {
            Owner::Process(index) => self.context.map.process(index),
            Owner::Kernel | Owner::Nobody => None,
        };
        self.rows.push(PageRow {
            pa: page.pa_of(0),
            va: page.va_of(0),
            process_id: process.and_then(|process| process.pid),
            process: process.map(|process| process.va.0),
            shared: page.shared,
            content: if page.zero { "zero" } else { "data" }.into(),
        });
    }

    fn finish(self: Box<Self>) -> schema::Result<Harvest> {
        Harvest::of(self.rows)
    }
}
