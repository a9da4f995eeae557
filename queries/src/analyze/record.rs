//! What is said of a dump as data: for programs, which take no prose apart.

use crate::error::Result;
use crate::path::quote;
use crate::sql::Session;
use std::collections::BTreeMap;

/// Frames of a stack that are given, from its innermost one on, and from the fault on.
const FRAMES: usize = 100;

/// A JSON object for each dump: its format, architecture, build and time, and its crash or null. Addresses are texts.
///
/// # Errors
/// The tables of dumps, crashes or frames cannot be read.
pub fn records(session: &Session, dump: Option<&str>) -> Result<BTreeMap<String, String>> {
    let of = dump.map(|dump| format!(" WHERE d.dump_id = {}", quote(dump))).unwrap_or_default();
    let alone = session.of_dump_if_readable(dump);
    let rows = alone.as_ref().unwrap_or(session).texts(&sql(&of))?;
    let pair = |row: Vec<Option<String>>| match <[Option<String>; 2]>::try_from(row) {
        Ok([Some(dump), Some(record)]) => Some((dump, record)),
        _ => None,
    };
    Ok(rows.into_iter().filter_map(pair).collect())
}

fn sql(of: &str) -> String {
    let parameters: Vec<String> = (1..=4).map(parameter).collect();
    let parameters = parameters.join(", ");
    format!(
        "WITH walked AS (
             SELECT d.dump_id, f.\"index\" AS n, f AS frame,
                    min(CASE WHEN f.ip = d.fault_ip THEN f.\"index\" END) OVER (PARTITION BY d.dump_id) AS fault
             FROM ({crashes}) AS d JOIN frames AS f ON f.dump_id = d.dump_id
                 AND thread_key(f.ethread, f.thread_id) = thread_key(coalesce(d.evidence_ethread, d.ethread), d.thread_id){of}),
         stack AS (
             SELECT dump_id, count(*) AS frames_in_all, list({{'index': n, 'address': hex_address(frame.ip),
                        'text': frame.text, 'module': frame.module, 'mode': frame.mode, 'method': frame.method,
                        'confidence': frame.confidence}} ORDER BY n)
                        FILTER (n < {FRAMES} OR n BETWEEN fault AND fault + {FRAMES} - 1) AS frames
             FROM walked GROUP BY dump_id)
         SELECT d.dump_id, to_json({{'format': d.format, 'architecture': d.architecture, 'build': d.build,
             'time': strftime(d.system_time, '%Y-%m-%dT%H:%M:%SZ'), 'bytes_missing': d.bytes_missing,
             'crash': CASE WHEN c.bucket IS NOT NULL THEN {{
                 'is': CASE WHEN c.bugcheck_code IS NULL THEN 'exception' ELSE 'bug check' END,
                 'code': coalesce(c.bugcheck_code, c.exception_code),
                 'code_hex': hex_code(coalesce(c.bugcheck_code, c.exception_code)),
                 'name': coalesce(c.bugcheck_name, c.exception_name),
                 'parameters': CASE WHEN c.bugcheck_code IS NULL THEN [] ELSE [{parameters}] END,
                 'process': {{'id': c.process_id, 'name': c.process_name}},
                 'thread': {{'id': c.thread_id, 'ethread': hex_address(c.ethread)}},
                 'hung': CASE WHEN c.hung_processor IS NOT NULL THEN {{'processor': c.hung_processor,
                     'ethread': hex_address(c.hung_ethread), 'is_stack': c.evidence_ethread IS NOT NULL}} END,
                 'irql': CASE WHEN c.irql IS NOT NULL THEN {{'level': c.irql, 'source': c.irql_source}} END,
                 'exception': CASE WHEN c.exception_code IS NOT NULL THEN {{'code': c.exception_code,
                     'code_hex': hex_code(c.exception_code), 'name': c.exception_name}} END,
                 'fault': CASE WHEN coalesce(c.fault_ip, c.fault_address) IS NOT NULL THEN {{
                     'address': hex_address(c.fault_ip), 'text': c.fault_text, 'module': c.fault_module,
                     'source': c.fault_source, 'instruction': c.fault_instruction,
                     'misaligned': c.fault_misaligned, 'within': c.fault_within,
                     'operand': CASE WHEN c.operand_size IS NOT NULL THEN {{'address': hex_address(c.operand_address),
                         'size': c.operand_size, 'base': c.operand_base,
                         'base_value': hex_address(c.operand_base_value)}} END,
                     'memory': hex_address(c.fault_address), 'access': c.fault_access}} END,
                 'records': {{'trap_frame': hex_address(c.trap_frame), 'context': hex_address(c.context_record),
                     'exception': hex_address(c.exception_record)}},
                 'culprit': CASE WHEN c.culprit IS NOT NULL THEN {{'module': c.culprit, 'rule': c.culprit_rule}} END,
                 'bucket': c.bucket, 'stack_hash': c.stack_hash,
                 'frames': coalesce(s.frames, []), 'frames_in_all': coalesce(s.frames_in_all, 0)}} END}})
         FROM dumps AS d
         LEFT JOIN ({crashes}) AS c USING (dump_id)
         LEFT JOIN stack AS s USING (dump_id){of}",
        crashes = super::CRASHES
    )
}

/// Value and meaning of a parameter; `parameter_meanings` is `1 = meaning, 3 = meaning`.
fn parameter(number: u32) -> String {
    format!(
        "{{'value': hex_address(c.parameter{number}), 'meaning': nullif(regexp_extract(c.parameter_meanings, \
         '(?:^|, ){number} = (.*?)(?:, [2-4] = |$)', 1), '')}}"
    )
}
