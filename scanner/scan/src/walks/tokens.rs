//! `tokens`: the access tokens that a user minidump lists.

use crate::{Job, out::Out};
use schema::{
    Sink,
    tables::{TokenRow, Tokens},
};

pub fn walk(job: &Job, sink: &dyn Sink) -> schema::Result<u64> {
    let mut out = Out::<Tokens>::new(sink);
    for token in &job.dump.records.tokens {
        out.push(TokenRow {
            process_id: token.process_id,
            thread_id: token.thread_id,
            token_id: Some(token.token_id),
            size: token.size,
            offset: token.offset,
        })?;
    }
    out.finish()
}
