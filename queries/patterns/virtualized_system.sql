-- Pattern: Virtualized System
-- Section: E
-- Question: Is the system a guest of a hypervisor, and of which?
-- Tables: modules, devices
-- Needs: modules
-- Weight: context
-- Reading: one row a hypervisor with the drivers that belong to its guests. Strong from two drivers on; weak with one,
--   which may be left from an earlier life of the disk, or with Hyper-V's alone: its drivers are on hosts too.
-- Limits: a guest without the hypervisor's drivers looks like a physical machine; firmware strings are not read.
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
SELECT m.dump_id, 'hypervisor' AS subject_kind, g.vendor AS subject, min(m.base) AS address,
       json_object('drivers', list(DISTINCT g.file_name ORDER BY g.file_name)) AS evidence,
       'Drivers of ' || g.vendor || ' guests are loaded: ' || string_agg(DISTINCT g.file_name, ', ' ORDER BY g.file_name) || '.' AS reading,
       CASE WHEN count(DISTINCT g.file_name) > 1 THEN 'strong' ELSE 'weak' END AS strength
FROM modules AS m
JOIN guest AS g ON g.file_name = lower(m.name)
WHERE m.process_id IS NULL
GROUP BY m.dump_id, g.vendor
