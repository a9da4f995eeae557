-- Question: Which names of kernel modules are names of Microsoft's own?
-- Tables: none
-- How to read it: one row a file name in small letters: the kernel, its libraries and the drivers that Microsoft
--   writes and ships with Windows, from Vista to 11 and Server 2025. Drivers that come with Windows but were written
--   by the maker of a device are not in it. A name says nothing about who made a file (malware can call itself
--   ntfs.sys), and the list can lack a rare or a new one: it sorts names, it is no verdict.
CREATE VIEW microsoft_drivers AS
SELECT DISTINCT unnest(string_split_regex(trim($list$
  ntoskrnl.exe ntkrnlpa.exe ntkrnlmp.exe ntkrpamp.exe ntoskrnl ntkrnlmp nt hal.dll halmacpi.dll halacpi.dll halaacpi.dll
  halapic.dll hal kd.dll kdcom.dll kdusb.dll kd1394.dll kdnet.dll kdnet_uart16550.dll kdstub.dll kdhvcom.dll kdvm.dll
  kd_02_8086.dll kd_02_10df.dll kd_02_10ec.dll kd_02_1137.dll kd_02_14e4.dll kd_02_15b3.dll kd_02_1969.dll
  kd_02_19a2.dll kd_02_1af4.dll kd_07_1415.dll kd_0c_8086.dll kd_8003_5143.dll bootvid.dll
  mcupdate.dll mcupdate_genuineintel.dll mcupdate_authenticamd.dll pshed.dll ci.dll skci.dll symcryptk.dll
  securekernel.exe securekernella57.exe hvix64.exe hvax64.exe hvaa64.exe clfs.sys tm.sys cng.sys ksecdd.sys ksecpkg.sys
  win32k.sys win32kbase.sys win32kfull.sys win32ksgd.sys cdd.dll tsddd.dll framebuf.dll vga.dll vga256.dll vga64k.dll
  dxg.sys dxapi.sys dxgthk.sys dxgkrnl.sys dxgmms1.sys dxgmms2.sys watchdog.sys monitor.sys videoprt.sys vga.sys
  vgapnp.sys basicdisplay.sys basicrender.sys bddrender.sys indirectkmd.sys
  werkernel.sys ntosext.sys cmimcext.sys wdf01000.sys wdfldr.sys wpprecorder.sys wudfrd.sys wudfpf.sys winusb.sys
  acpi.sys acpiex.sys acpidev.sys acpipagr.sys acpipmi.sys acpitime.sys acpials.sys wmilib.sys wmiacpi.sys
  intelpep.sys intelpmt.sys intelppm.sys inteltelemetry.sys amdppm.sys amdk8.sys amdk6.sys amdk7.sys processr.sys
  crusoe.sys viac7.sys armppm.sys
  pci.sys pcw.sys pcmcia.sys pciide.sys pciidex.sys isapnp.sys msisadrv.sys vdrvroot.sys partmgr.sys volmgr.sys
  volmgrx.sys volsnap.sys volume.sys mountmgr.sys disk.sys classpnp.sys crashdmp.sys spaceport.sys storport.sys
  scsiport.sys storahci.sys stornvme.sys storufs.sys msahci.sys ataport.sys atapi.sys intelide.sys dumpata.sys
  dumpfve.sys dumpsd.sys dumpstorport.sys dumpsdport.sys diskdump.sys dumpstorufs.sys
  uaspstor.sys usbstor.sys sbp2port.sys sfloppy.sys flpydisk.sys fdc.sys cdrom.sys sdstor.sys sdbus.sys sdport.sys
  scmbus.sys scmdisk0101.sys pmem.sys nvdimm.sys bttflt.sys storqosflt.sys ehstorclass.sys ehstortcgdrv.sys mpio.sys
  msdsm.sys msiscsi.sys ramdisk.sys vhdmp.sys iscsilog.dll hwpolicy.sys iorate.sys rdyboost.sys fvevol.sys
  fileinfo.sys fltmgr.sys fs_rec.sys filecrypt.sys filetrace.sys ntfs.sys refs.sys refsv1.sys fastfat.sys exfat.sys
  cdfs.sys cimfs.sys udfs.sys msfs.sys npfs.sys mup.sys dfs.sys dfsc.sys dfsrro.sys rdbss.sys mrxsmb.sys mrxsmb10.sys
  mrxsmb20.sys mrxdav.sys srv.sys srv2.sys srvnet.sys bowser.sys smbdirect.sys nfsrdr.sys nfssvr.sys rpcxdr.sys
  portmap.sys csc.sys wcifs.sys wcnfs.sys wof.sys bindflt.sys cldflt.sys luafv.sys quota.sys datascrn.sys dedup.sys
  wimmount.sys wimfltr.sys appvvfs.sys appvvemgr.sys appvstrm.sys uevagentdriver.sys csvfs.sys csvflt.sys
  csvnsflt.sys csvvbus.sys resumekeyfilter.sys clusdisk.sys clusbflt.sys clusport.sys netft.sys
  beep.sys null.sys crcdisk.sys spldr.sys ahcache.sys appid.sys applockerfltr.sys tbs.sys tpm.sys
  mssecflt.sys mssecwfp.sys msseccore.sys mpfilter.sys wdfilter.sys wdboot.sys wdnisdrv.sys wddevflt.sys
  mpksldrv.sys nisdrvwfp.sys sgrmagent.sys
  afd.sys afunix.sys tdi.sys tdx.sys tdpipe.sys tdtcp.sys tdasync.sys netbios.sys netbt.sys smb.sys nsiproxy.sys
  tcpip.sys tcpip6.sys tcpipreg.sys netio.sys ndis.sys ndisuio.sys ndistapi.sys ndiswan.sys ndiscap.sys
  ndisimplatform.sys ndisvirtualbus.sys ndproxy.sys msgpc.sys psched.sys pacer.sys rspndr.sys lltdio.sys mslldp.sys
  mslbfoprovider.sys bridge.sys tunnel.sys tunmp.sys qwavedrv.sys nwifi.sys vwififlt.sys vwifibus.sys vwifimp.sys
  wificx.sys wdiwifi.sys netadaptercx.sys pktmon.sys fwpkclnt.sys wfplwfs.sys mpsdrv.sys ipfltdrv.sys ipnat.sys
  ipsec.sys winnat.sys msquic.sys http.sys peerdistkm.sys mqac.sys rmcast.sys l2bridge.sys kdnic.sys loop.sys
  rasacd.sys rasl2tp.sys raspppoe.sys raspptp.sys raspti.sys rassstp.sys rasgre.sys agilevpn.sys wanarp.sys
  wanarpv6.sys asyncmac.sys ptilink.sys atmarpc.sys atmepvc.sys atmlane.sys atmuni.sys irda.sys irenum.sys
  winsetupmon.sys vfpext.sys mausbhost.sys mausbip.sys
  vmbus.sys vmbusr.sys vmbkmcl.sys vmbkmclr.sys vmbushid.sys vmbusproxy.sys vmgid.sys vmgencounter.sys vmstorfl.sys
  storvsc.sys storvsp.sys storflt.sys synthfcvdev.sys vmswitch.sys vmsproxy.sys vmsvsp.sys vmsp.sys vid.sys winhv.sys
  winhvr.sys hvservice.sys hvsocket.sys hvsocketcontrol.sys hvcrash.sys hypervideo.sys hyperkbd.sys dmvsc.sys s3cap.sys
  netvsc.sys netvsc50.sys netvsc60.sys netvsc63.sys vpcivsp.sys vpci.sys pcip.sys synth3dvsc.sys synth3dvsp.sys
  rdvgkmd.sys passthruparser.sys pvhdparser.sys vhdparser.sys lxss.sys lxcore.sys p9rdr.sys
  rdpdr.sys rdpbus.sys rdprefmp.sys rdpencdd.sys rdpcdd.sys rdpdd.dll rdpudd.dll rdpwd.sys rdpvideominiport.sys
  termdd.sys tssecsrv.sys tsusbflt.sys tsusbgd.sys tsusbhub.sys terminpt.sys
  kbdclass.sys kbdhid.sys i8042prt.sys mouclass.sys mouhid.sys sermouse.sys hidclass.sys hidparse.sys hidusb.sys
  hidbth.sys hidbatt.sys hidi2c.sys hidspi.sys hidspicx.sys hidinterrupt.sys hidir.sys vhf.sys mshidkmdf.sys
  mshidumdf.sys mtconfig.sys wacompen.sys buttonconverter.sys circlass.sys compositebus.sys swenum.sys
  ks.sys ksthunk.sys drmk.sys drmkaud.sys portcls.sys hdaudbus.sys hdaudio.sys stream.sys mskssrv.sys mspclock.sys
  mspqm.sys mstee.sys usbaudio.sys usbaudio2.sys usbvideo.sys avc.sys avcstrm.sys bdasup.sys streamip.sys ndisip.sys
  slip.sys ccdecode.sys nabtsfec.sys wstcodec.sys acx01000.sys sysaudio.sys wdmaud.sys kmixer.sys splitter.sys
  swmidi.sys dmusic.sys aec.sys redbook.sys imapi.sys audstub.sys update.sys mmcss.sys
  bthhfaud.sys bthhfhid.sys bthhfenum.sys btha2dp.sys bthenum.sys bthleenum.sys bthmini.sys bthmodem.sys bthpan.sys
  bthport.sys bthusb.sys bthprint.sys rfcomm.sys microsoft.bluetooth.avrcptransport.sys
  microsoft.bluetooth.legacy.leenumerator.sys microsoft.bluetooth.profiles.hidovergatt.sys
  usbd.sys usbport.sys usbhub.sys usbhub3.sys usbehci.sys usbohci.sys usbuhci.sys usbxhci.sys ucx01000.sys usbccgp.sys
  usbprint.sys usbscan.sys usbser.sys usbcir.sys usb8023.sys usb8023x.sys usbrndis6.sys rndismp.sys rndismp6.sys
  rndismpx.sys udecx.sys ucmcx.sys ucmtcpcicx.sys ucmucsi.sys ucmucsicx.sys ucmucsiacpiclient.sys usbfn.sys
  ufx01000.sys urscx01000.sys genericusbfn.sys usb4hostrouter.sys usb4devicerouter.sys 1394bus.sys 1394ohci.sys
  ohci1394.sys 61883.sys nic1394.sys arp1394.sys
  umbus.sys umpass.sys wpdupfltr.sys blbdrive.sys discache.sys msrpc.sys condrv.sys bam.sys dam.sys cea.sys cad.sys
  ipt.sys peauth.sys scfilter.sys agp440.sys uagp35.sys uliagpkx.sys gagp30kx.sys mf.sys compbatt.sys battc.sys
  cmbatt.sys wmbclass.sys errdev.sys parport.sys parvdm.sys serial.sys serenum.sys sercx.sys sercx2.sys serscan.sys
  modem.sys rootmdm.sys mcd.sys tape.sys ipmidrv.sys npsvctrig.sys gameenum.sys msgpioclx.sys msgpiowin32.sys
  spbcx.sys simbadd.sys capimg.sys rhproxy.sys uiomap.sys pdc.sys sensorscx.sys mbbcx.sys wwanprotdim.sys rawwan.sys
  nfccx.sys smartcrd.sys pnpmem.sys gpuenergydrv.sys prm.sys cnghwassist.sys xboxgip.sys xinputhid.sys xusb22.sys
  xusb21.sys xvdd.sys gameflt.sys fips.sys dmio.sys dmload.sys dmboot.sys ftdisk.sys
  clipsp.sys executioncontext.sys globmerger.sys intelta.sys kmpdc.sys mshwnclx.sys mssmbios.sys ndu.sys fsdepends.sys
  bfs.sys unionfs.sys wtd.sys ucpd.sys uefi.sys sleepstudyhelper.sys vmsproxyhnic.sys win32kbase_rs.sys
  windowstrustedrt.sys windowstrustedrtproxy.sys ws2ifsl.sys kerb3961kernel.sys knetpwrdepbroker.sys
  wdmcompanionfilter.sys spatialgraphfilter.sys hvsifltr.sys sdfrd.sys
$list$), '\s+')) AS name;
