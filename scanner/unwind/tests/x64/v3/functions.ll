; Functions whose unwind data is of version 3, for `functions.hex`, which is the image that LLVM 23.1.4 made of them:
;   llc -O2 -filetype=obj functions.ll -o f.obj
;   rust-lld -flavor link /dll /noentry /force:unresolved /machine:x64 /opt:noref f.obj
target triple = "x86_64-pc-windows-msvc"
declare i32 @get(i32)
declare void @use(ptr)

; pushes, an allocation, two ways out
define i32 @plain(i32 %a, i32 %b) {
  %x = call i32 @get(i32 %a)
  %y = call i32 @get(i32 %b)
  %s = add i32 %x, %y
  %c = icmp eq i32 %s, 7
  br i1 %c, label %t, label %f
t:
  %z = call i32 @get(i32 %s)
  %w = add i32 %z, %y
  ret i32 %w
f:
  %v = tail call i32 @get(i32 %y)
  ret i32 %v
}

; a frame register, and stack taken in the body
define i32 @dynamic(i64 %n) {
  %p = alloca i8, i64 %n, align 16
  call void @use(ptr %p)
  %q = alloca [100 x i32]
  call void @use(ptr %q)
  call void asm sideeffect "", "~{rbx},~{rsi},~{xmm6},~{xmm7}"()
  %r = call i32 @get(i32 1)
  ret i32 %r
}

; more than a page: the stack is probed first
define i32 @big() {
  %q = alloca [10000 x i32]
  call void @use(ptr %q)
  %r = tail call i32 @get(i32 1)
  ret i32 %r
}

; more than half a megabyte, and vectors behind it
define i32 @huge() {
  %q = alloca [800000 x i32]
  call void @use(ptr %q)
  call void asm sideeffect "", "~{rbx},~{r15},~{xmm6},~{xmm15}"()
  %r = call i32 @get(i32 1)
  ret i32 %r
}

; all nonvolatile registers
define i32 @all(i32 %a) {
  %b = call i32 @get(i32 %a)
  call void asm sideeffect "", "~{rbx},~{rbp},~{rsi},~{rdi},~{r12},~{r13},~{r14},~{r15}"()
  ret i32 %b
}

; everything that can be saved
define i32 @wide(i64 %n) {
  %p = alloca i8, i64 %n, align 16
  %q = alloca [300 x i64]
  call void @use(ptr %p)
  call void @use(ptr %q)
  call void asm sideeffect "", "~{rbx},~{rsi},~{rdi},~{r12},~{r13},~{r14},~{r15},~{xmm6},~{xmm7},~{xmm8},~{xmm9},~{xmm10},~{xmm11},~{xmm12},~{xmm13},~{xmm14},~{xmm15}"()
  ret i32 1
}

; more ways out than one entry can have: further ones are chained to the first
define i32 @ways(i32 %a, i64 %n) {
  %p = alloca i8, i64 %n, align 16
  call void @use(ptr %p)
  br label %b0
b0:
  %x0 = call i32 @get(i32 0)
  call void asm sideeffect "", "~{rbx},~{xmm6}"()
  %c0 = icmp eq i32 %x0, %a
  br i1 %c0, label %r0, label %b1
r0:
  %y0 = tail call i32 @t0(i32 %x0)
  ret i32 %y0
b1:
  %x1 = call i32 @get(i32 1)
  call void asm sideeffect "", "~{rbx},~{xmm6}"()
  %c1 = icmp eq i32 %x1, %a
  br i1 %c1, label %r1, label %b2
r1:
  %y1 = tail call i32 @t1(i32 %x1)
  ret i32 %y1
b2:
  %x2 = call i32 @get(i32 2)
  call void asm sideeffect "", "~{rbx},~{xmm6}"()
  %c2 = icmp eq i32 %x2, %a
  br i1 %c2, label %r2, label %b3
r2:
  %y2 = tail call i32 @t2(i32 %x2)
  ret i32 %y2
b3:
  %x3 = call i32 @get(i32 3)
  call void asm sideeffect "", "~{rbx},~{xmm6}"()
  %c3 = icmp eq i32 %x3, %a
  br i1 %c3, label %r3, label %b4
r3:
  %y3 = tail call i32 @t3(i32 %x3)
  ret i32 %y3
b4:
  %x4 = call i32 @get(i32 4)
  call void asm sideeffect "", "~{rbx},~{xmm6}"()
  %c4 = icmp eq i32 %x4, %a
  br i1 %c4, label %r4, label %b5
r4:
  %y4 = tail call i32 @t4(i32 %x4)
  ret i32 %y4
b5:
  %x5 = call i32 @get(i32 5)
  call void asm sideeffect "", "~{rbx},~{xmm6}"()
  %c5 = icmp eq i32 %x5, %a
  br i1 %c5, label %r5, label %b6
r5:
  %y5 = tail call i32 @t5(i32 %x5)
  ret i32 %y5
b6:
  %x6 = call i32 @get(i32 6)
  call void asm sideeffect "", "~{rbx},~{xmm6}"()
  %c6 = icmp eq i32 %x6, %a
  br i1 %c6, label %r6, label %b7
r6:
  %y6 = tail call i32 @t6(i32 %x6)
  ret i32 %y6
b7:
  %x7 = call i32 @get(i32 7)
  call void asm sideeffect "", "~{rbx},~{xmm6}"()
  %c7 = icmp eq i32 %x7, %a
  br i1 %c7, label %r7, label %b8
r7:
  %y7 = tail call i32 @t7(i32 %x7)
  ret i32 %y7
b8:
  %x8 = call i32 @get(i32 8)
  call void asm sideeffect "", "~{rbx},~{xmm6}"()
  %c8 = icmp eq i32 %x8, %a
  br i1 %c8, label %r8, label %b9
r8:
  %y8 = tail call i32 @t8(i32 %x8)
  ret i32 %y8
b9:
  %x9 = call i32 @get(i32 9)
  call void asm sideeffect "", "~{rbx},~{xmm6}"()
  %c9 = icmp eq i32 %x9, %a
  br i1 %c9, label %r9, label %b10
r9:
  %y9 = tail call i32 @t9(i32 %x9)
  ret i32 %y9
b10:
  %x10 = call i32 @get(i32 10)
  call void asm sideeffect "", "~{rbx},~{xmm6}"()
  %c10 = icmp eq i32 %x10, %a
  br i1 %c10, label %r10, label %b11
r10:
  %y10 = tail call i32 @t10(i32 %x10)
  ret i32 %y10
b11:
  %x11 = call i32 @get(i32 11)
  call void asm sideeffect "", "~{rbx},~{xmm6}"()
  %c11 = icmp eq i32 %x11, %a
  br i1 %c11, label %r11, label %b12
r11:
  %y11 = tail call i32 @t11(i32 %x11)
  ret i32 %y11
b12:
  %x12 = call i32 @get(i32 12)
  call void asm sideeffect "", "~{rbx},~{xmm6}"()
  %c12 = icmp eq i32 %x12, %a
  br i1 %c12, label %r12, label %b13
r12:
  %y12 = tail call i32 @t12(i32 %x12)
  ret i32 %y12
b13:
  %x13 = call i32 @get(i32 13)
  call void asm sideeffect "", "~{rbx},~{xmm6}"()
  %c13 = icmp eq i32 %x13, %a
  br i1 %c13, label %r13, label %b14
r13:
  %y13 = tail call i32 @t13(i32 %x13)
  ret i32 %y13
b14:
  %x14 = call i32 @get(i32 14)
  call void asm sideeffect "", "~{rbx},~{xmm6}"()
  %c14 = icmp eq i32 %x14, %a
  br i1 %c14, label %r14, label %b15
r14:
  %y14 = tail call i32 @t14(i32 %x14)
  ret i32 %y14
b15:
  %x15 = call i32 @get(i32 15)
  call void asm sideeffect "", "~{rbx},~{xmm6}"()
  %c15 = icmp eq i32 %x15, %a
  br i1 %c15, label %r15, label %b16
r15:
  %y15 = tail call i32 @t15(i32 %x15)
  ret i32 %y15
b16:
  %x16 = call i32 @get(i32 16)
  call void asm sideeffect "", "~{rbx},~{xmm6}"()
  %c16 = icmp eq i32 %x16, %a
  br i1 %c16, label %r16, label %b17
r16:
  %y16 = tail call i32 @t16(i32 %x16)
  ret i32 %y16
b17:
  ret i32 7
}
declare i32 @t0(i32)
declare i32 @t1(i32)
declare i32 @t2(i32)
declare i32 @t3(i32)
declare i32 @t4(i32)
declare i32 @t5(i32)
declare i32 @t6(i32)
declare i32 @t7(i32)
declare i32 @t8(i32)
declare i32 @t9(i32)
declare i32 @t10(i32)
declare i32 @t11(i32)
declare i32 @t12(i32)
declare i32 @t13(i32)
declare i32 @t14(i32)
declare i32 @t15(i32)
declare i32 @t16(i32)

!llvm.module.flags = !{!0}
!0 = !{i32 1, !"winx64-eh-unwind", i32 3}
