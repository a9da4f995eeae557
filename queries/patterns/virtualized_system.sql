-- Pattern: Virtualized System
-- Section: E
-- Question: Is the system a guest of a hypervisor, and of which?
-- Tables: modules, firmware
-- Needs: modules
-- Weight: context
-- Reading: one row a hypervisor with the drivers that belong to its guests. Strong from two drivers on; weak with one,
--   which may be left from an earlier life of the disk, or with Hyper-V's alone: its drivers are on hosts too. Certain:
--   the machine's own tables name the hypervisor as its maker.
-- Limits: a guest without the hypervisor's drivers looks like a physical machine where the dump has no `firmware`.
WITH guest(file_name, vendor) AS (
    VALUES ('vmbus.sys', 'Hyper-V'), ('storvsc.sys', 'Hyper-V'), ('netvsc.sys', 'Hyper-V'), ('hyperkbd.sys', 'Hyper-V'),
           ('hypervideo.sys', 'Hyper-V'), ('synth3dvsc.sys', 'Hyper-V'), ('vmci.sys', 'VMware'), ('vmhgfs.sys', 'VMware'),
           ('vmmouse.sys', 'VMware'), ('vm3dmp.sys', 'VMware'), ('vmxnet3.sys', 'VMware'), ('vmmemctl.sys', 'VMware'),
           ('pvscsi.sys', 'VMware'), ('vmrawdsk.sys', 'VMware'), ('vboxguest.sys', 'VirtualBox'), ('vboxmouse.sys', 'VirtualBox'),
           ('vboxsf.sys', 'VirtualBox'), ('vboxvideo.sys', 'VirtualBox'), ('vboxwddm.sys', 'VirtualBox'),
           ('viostor.sys', 'QEMU/KVM'), ('vioscsi.sys', 'QEMU/KVM'), ('netkvm.sys', 'QEMU/KVM'), ('vioser.sys', 'QEMU/KVM'),
           ('balloon.sys', 'QEMU/KVM'), ('qxldod.sys', 'QEMU/KVM'), ('viorng.sys', 'QEMU/KVM'), ('vioinput.sys', 'QEMU/KVM'),
           ('xenbus.sys', 'Xen'), ('xenvbd.sys', 'Xen'), ('xennet.sys', 'Xen'), ('xenvif.sys', 'Xen'), ('xen.sys', 'Xen'),
           ('prl_tg.sys', 'Parallels'), ('prl_fs.sys', 'Parallels'), ('prl_strg.sys', 'Parallels'))
SELECT f.dump_id, 'hypervisor' AS subject_kind, v.vendor AS subject, NULL::UBIGINT AS address,
       json_object('manufacturer', f.system_manufacturer, 'product', f.system_product, 'firmware', f.bios_vendor) AS evidence,
       'The machine calls itself ' || concat_ws(' ', f.system_manufacturer, f.system_product) || '.' AS reading, 'certain' AS strength
FROM firmware AS f
JOIN (VALUES ('microsoft corporation virtual machine%', 'Hyper-V'), ('vmware%', 'VMware'), ('innotek%virtualbox%', 'VirtualBox'),
             ('oracle%virtualbox%', 'VirtualBox'), ('qemu%', 'QEMU/KVM'), ('% kvm%', 'QEMU/KVM'), ('xen %', 'Xen'),
             ('parallels%', 'Parallels'), ('google google compute engine%', 'Google Compute Engine'),
             ('amazon ec2 %', 'Amazon EC2')) AS v(machine, vendor)
  ON lower(concat_ws(' ', f.system_manufacturer, f.system_product)) LIKE v.machine AND coalesce(lower(f.system_product), '') NOT LIKE '%.metal%'
UNION ALL
SELECT m.dump_id, 'hypervisor', g.vendor, min(m.base),
       json_object('drivers', list(DISTINCT g.file_name ORDER BY g.file_name)) AS evidence,
       'Drivers of ' || g.vendor || ' guests are loaded: ' || string_agg(DISTINCT g.file_name, ', ' ORDER BY g.file_name) || '.' AS reading,
       CASE WHEN count(DISTINCT g.file_name) > 1 THEN 'strong' ELSE 'weak' END AS strength
FROM modules AS m
JOIN guest AS g ON g.file_name = lower(m.name)
WHERE m.process_id IS NULL
GROUP BY m.dump_id, g.vendor
