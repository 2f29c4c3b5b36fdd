/*
 * Firmware that writes what CPUID answers to the debug port 0E9h: leaf, sub-leaf, EAX, EBX, ECX, EDX, each as
 * 32 bits, of every leaf from the first of a range to the last that it names, with 6 sub-leaves (32 of leaf 0Dh).
 * Real mode; ends through the exit device at port 0F4h.
 *
 *   as --32 cpuid_rows.S -o rows.o && ld -m elf_i386 -Ttext 0 --oformat binary -o rows.bin rows.o
 */
.code16
.section .text
.globl _start
_start:
  cli
  xor %ax,%ax
  mov %ax,%ds
  mov %ax,%ss
  mov $0x7000,%sp
  mov $ranges,%si
  xorl %edi,%edi
next_range:
  movl %cs:(%si),%ebp      /* leaf */
  add $4,%si
  cmpl $0xffffffff,%ebp
  je done
  movl %ebp,%eax
  xorl %ecx,%ecx
  cpuid
  movl %eax,%edi           /* limit */
  cmpl %ebp,%edi
  jb next_range
  movl %edi,%eax
  subl %ebp,%eax
  cmpl $0x200,%eax
  ja next_range
leaf_loop:
  movw $0, 0x600
sub_loop:
  movl %ebp,%eax
  movzwl 0x600,%ecx
  cpuid
  movl %eax,0x610
  movl %ebx,0x614
  movl %ecx,0x618
  movl %edx,0x61c
  movl %ebp,0x608
  movzwl 0x600,%eax
  movl %eax,0x60c
  mov $0x608,%bx
  mov $24,%cx
  mov $0xe9,%dx
out_loop:
  movb (%bx),%al
  outb %al,%dx
  inc %bx
  loop out_loop
  incw 0x600
  movw $6,%ax
  cmpl $0xd,%ebp
  jne 1f
  movw $32,%ax
1: cmpw %ax,0x600
  jb sub_loop
  incl %ebp
  cmpl %edi,%ebp
  jbe leaf_loop
  jmp next_range
done:
  mov $0xf4,%dx
  mov $0x10,%al
  outb %al,%dx
1: hlt
  jmp 1b
ranges: .long 0, 0x40000000, 0x40000100, 0x80000000, 0xc0000000, 0xffffffff
.org 0xfff0
  ljmp $0xf000,$0
.org 0x10000
