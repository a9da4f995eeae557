//! Views over kernel tables: rows as a kernel dump gives them, and the columns that are not known.

use super::*;

/// Threads 1 and 2 of process 10: 1 asks 2 by ALPC, 2 waits for a mutant that 1 holds; 3 asks a server without a thread.
fn waiting() -> Lake {
    let lake = Lake::empty();
    let thread = |ethread: &'static str, tid: &'static str| {
        [("ethread", ethread), ("process_id", "10"), ("thread_id", tid)]
    };
    let (one, two, three) = (thread("4096", "1"), thread("8192", "2"), thread("12288", "3"));
    lake.put("threads", FIRST, &[&one, &two, &three]);
    let asks = [
        [&one[..], &[("message", "1"), ("server_thread", "8192"), ("server_thread_id", "2")]].concat(),
        [&three[..], &[("message", "2"), ("server_process", "64"), ("server_process_id", "20")]].concat(),
    ];
    lake.put("alpc_messages", FIRST, &[&asks[0], &asks[1]]);
    let held = [("owner_thread", "4096"), ("owner_process_id", "10"), ("owner_thread_id", "1")];
    let waits = [&two[..], &held, &[("object", "77"), ("object_kind", "'Mutant'")]].concat();
    lake.put("waits", FIRST, &[&waits]);
    lake
}

#[test]
fn a_thread_that_asks_a_server_waits_for_it() {
    let sql =
        "SELECT thread_id, object_kind, owner_process_id, owner_thread_id, chain, deadlock FROM wait_graph
               ORDER BY ALL";
    assert_eq!(
        waiting().csv(sql),
        "1,ALPC message,10,2,\"[10.1, 10.2, 10.1]\",true\n2,Mutant,10,1,\"[10.2, 10.1, 10.2]\",true\n\
         3,ALPC message,20,,\"[10.3, 20]\",false"
    );
}

/// Without the kernel's clock a timer is due so long after the header's time as it lies behind the uptime.
#[test]
fn a_timer_is_due_by_the_header_where_the_kernels_clock_is_absent() {
    let lake = Lake::empty();
    lake.put("dumps", FIRST, &[&[("system_time", "'2024-05-06 07:08:09'"), ("uptime_seconds", "100")]]);
    lake.put("dumps", SECOND, &[&[("system_time", "'2024-05-06 07:08:09'")]]);
    let due = |time: &'static str| [("timer", "1"), ("due_time", time)];
    let known = [("timer", "1"), ("due_time", "1010000000"), ("due_at", "'2020-01-01'")];
    lake.put("timers", FIRST, &[&due("1010000000"), &due("18446744073709551615"), &known]);
    lake.put("timers", SECOND, &[&due("1010000000")]);
    let sql = "SELECT due_at FROM timers_due WHERE due_time < 2000000000 ORDER BY dump_id, due_at";
    assert_eq!(lake.csv(sql), "2020-01-01T00:00:00\n2024-05-06T07:08:10\n");
    assert_eq!(lake.csv("SELECT count(due_at) FROM timers_due WHERE dump_id = 'd00000000000000ff'"), "0");
}

#[test]
fn objects_of_handles_are_counted_where_they_are_known() {
    let lake = Lake::empty();
    let of = |object: &'static str, source: &'static str| {
        [("process_id", "1"), ("object", object), ("source", source)]
    };
    let known = of("5", "'_EPROCESS.ObjectTable'");
    lake.put("handles", FIRST, &[&known, &known]);
    lake.put("handles", SECOND, &[&of("NULL", "'HandleDataStream'")]);
    assert_eq!(lake.csv("SELECT handles, objects FROM handle_counts"), "2,1\n1,");
}

#[test]
fn a_request_that_no_driver_has_is_not_pending() {
    let lake = Lake::empty();
    let of =
        |irp: &'static str, at: &'static str| [("irp", irp), ("stack_count", "2"), ("current_location", at)];
    lake.put("irps", FIRST, &[&of("1", "1"), &of("2", "2"), &of("3", "3"), &of("4", "4"), &of("5", "NULL")]);
    assert_eq!(lake.csv("SELECT irp FROM pending_irps ORDER BY 1"), "0x0000000000000001\n0x0000000000000002");
}

#[test]
fn threads_of_small_dumps_are_not_called_hidden() {
    let lake = Lake::empty();
    let of = |id: &'static str, source: &'static str, hidden: &'static str| {
        [("thread_id", id), ("source", source), ("hidden", hidden), ("in_kernel_list", "false")]
    };
    lake.put(
        "threads",
        FIRST,
        &[
            &of("1", "'triage copy'", "NULL"),
            &of("2", "'object''s members'", "true"),
            &of("3", "'pool header'", "NULL"),
            &of("4", "'PspCidTable'", "true"),
        ],
    );
    let sql = "SELECT thread_id, verdict FROM hidden_threads ORDER BY 1";
    assert_eq!(lake.csv(sql), "2,hidden\n3,unknown\n4,hidden");
}

#[test]
fn addresses_of_pool_are_written_as_such() {
    let lake = Lake::empty();
    let of = |va: &'static str, pa: &'static str| {
        let text =
            [("va", va), ("pa", pa), ("tag", "'Proc'"), ("allocator", "'lfh'"), ("state", "'allocated'")];
        [text.as_slice(), &[("chain_ok", "NULL"), ("size", "32")]].concat()
    };
    let (mapped, unmapped) = (of("18446735277616533536", "4128"), of("NULL", "8208"));
    // Of two big allocations the first page of one is in the dump.
    let paged = [("va", "18446735277616545792"), ("tag", "'Proc'"), ("allocator", "'big'"), ("size", "8192")];
    lake.put("pool_allocations", FIRST, &[&mapped, &unmapped]);
    lake.put("pool_allocations", SECOND, &[&paged]);
    let big = |address: &'static str| [("tag", "'Proc'"), ("address", address)];
    lake.put("big_pool", FIRST, &[&big("18446735277616537600")]);
    lake.put("big_pool", SECOND, &[&big("18446735277616545792")]);
    let sql = "SELECT address, pa, size FROM pool_find WHERE tag = 'Proc'";
    let expected = "0xfffff80000001020,0x0000000000001020,32\n0xfffff80000002000,,\n,0x0000000000002010,32\n\
                    0xfffff80000004000,,8192";
    assert_eq!(lake.csv(sql), expected);
    let sql = "SELECT header, mapped, chain_ok FROM pool_page WHERE page = ";
    let page = "hex_address(18446735277616533999 & ~4095::UBIGINT)";
    assert_eq!(lake.csv(&format!("{sql}{page}")), "0xfffff80000001020,true,");
    assert_eq!(lake.csv(&format!("{sql}'0x0000000000002000'")), "0x0000000000002010,false,");
}

#[test]
fn only_a_thread_that_waits_has_a_reason() {
    let lake = Lake::empty();
    let of = |id: &'static str, state: &'static str| {
        [("thread_id", id), ("state", state), ("wait_reason_name", "'UserRequest'")]
    };
    lake.put("threads", FIRST, &[&of("1", "5"), &of("2", "2"), &of("3", "NULL")]);
    assert_eq!(
        lake.csv("SELECT thread_id, wait_reason FROM process_threads ORDER BY 1"),
        "1,UserRequest\n2,\n3,"
    );
}

#[test]
fn an_image_that_the_loader_does_not_know_is_hidden() {
    let lake = Lake::empty();
    let of = |base: &'static str, listed: &'static str, image: &'static str| {
        [
            ("process_id", "1"),
            ("base", base),
            ("in_load", listed),
            ("in_memory", listed),
            ("in_init", "NULL"),
            ("in_vad", "true"),
            ("mapped_as_image", image),
        ]
    };
    lake.put(
        "user_modules",
        FIRST,
        &[
            &of("4096", "true", "true"),
            &of("8192", "false", "true"),
            &of("12288", "true", "false"),
            &of("16384", "NULL", "true"),
        ],
    );
    let sql = "SELECT base, hidden, unmapped FROM process_modules ORDER BY base";
    let expected = "0x0000000000001000,false,false\n0x0000000000002000,true,false\n\
                    0x0000000000003000,false,true\n0x0000000000004000,,false";
    assert_eq!(lake.csv(sql), expected);
}

#[test]
fn a_service_that_leads_elsewhere_is_hooked() {
    let lake = Lake::empty();
    let of = |index: &'static str, module: &'static str| {
        [
            ("table_number", "0"),
            ("index", index),
            ("service", index),
            ("target", "1"),
            ("target_module", module),
        ]
    };
    let nt = "'ntoskrnl.exe'";
    lake.put("syscalls", FIRST, &[&of("0", nt), &of("1", nt), &of("2", "'evil.sys'"), &of("3", "NULL")]);
    let sql = "SELECT service, hooked FROM service_table";
    assert_eq!(lake.csv(sql), "0x0,false\n0x1,false\n0x2,true\n0x3,true");
}

#[test]
fn a_token_has_its_privileges_beside_it() {
    let lake = Lake::empty();
    lake.put("tokens", FIRST, &[&[("process_id", "4"), ("token", "4096"), ("integrity_level", "16384")]]);
    let of =
        |name: &'static str, enabled: &'static str| [("token", "4096"), ("name", name), ("enabled", enabled)];
    lake.put(
        "token_privileges",
        FIRST,
        &[&of("'SeTcbPrivilege'", "true"), &of("'SeDebugPrivilege'", "false")],
    );
    let sql = "SELECT integrity, privileges, disabled_privileges, token FROM process_tokens";
    assert_eq!(lake.csv(sql), "system,[SeTcbPrivilege],[SeDebugPrivilege],0x0000000000001000");
}

#[test]
fn an_interrupt_leads_to_the_drivers_routine() {
    let lake = Lake::empty();
    let gate = [("vector", "13"), ("handler_text", "'nt+0x10'"), ("handler_module", "'nt'")];
    let object =
        [("vector", "145"), ("handler_text", "'nt+0x20'"), ("service_routine_text", "'contoso.sys+0x1'")];
    lake.put("interrupts", FIRST, &[&gate, &object]);
    let sql = "SELECT vector, routine_text FROM interrupt_table";
    assert_eq!(lake.csv(sql), "0xD,nt+0x10\n0x91,contoso.sys+0x1");
}

/// What a page fault wanted is told by the error code: x86 notes no address, ARM64 has no error code.
#[test]
fn trap_frames_of_each_architecture() {
    let lake = Lake::empty();
    let x64 = [("machine_frame", "9"), ("error_code", "2"), ("fault_address", "40")];
    let x86 = [("machine_frame", "8"), ("error_code", "2"), ("fault_address", "NULL")];
    let arm64 = [("trap_frame", "7"), ("fault_address", "40")];
    lake.put("trap_frames", FIRST, &[&x64, &x86, &arm64]);
    assert_eq!(
        lake.csv("SELECT error, fault_address FROM trap_frame_list"),
        ",0x0000000000000028\n0x2,\n\"write, not present\",0x0000000000000028"
    );
}
