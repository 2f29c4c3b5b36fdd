/*
 * Firmware that writes what CPUID answers to COM1: leaf, sub-leaf, EAX, EBX, ECX, EDX, each as 32 bits, of every leaf
 * from the first of a range to the last that it names, with 6 sub-leaves (32 of leaf 0Dh). Rows of zeros are left
 * out; a last row of all ones says that nothing is missing. It is written by the CPU whose APIC ID stands at FF00h;
 * -1 is the boot CPU. Real mode; ends by a reset, which -no-reboot makes the end of the program.
 *
 *   as --32 cpuid_rows.S -o rows.o && ld -m elf_i386 -Ttext 0 --oformat binary -o rows.bin rows.o
 */
.code16
.section .text
.globl _start
_start:                      /* of the boot CPU, and of those that it starts */
  cli
  xor %ax,%ax
  mov %ax,%ds
  mov %ax,%ss
  mov $0x7000,%sp
  movl %cs:0xff00,%esi
  cmpl $-1,%esi
  je rows
  movl $1,%eax
  xorl %ecx,%ecx
  cpuid
  shrl $24,%ebx
  cmpl %esi,%ebx
  je rows
  cmpb $0,0x500
  jne halt
  movb $1,0x500
  /* The boot CPU, and another is asked for: reach the local APIC with a segment of 4 GiB, and start all others. */
  lgdtl %cs:gdt_pointer
  movl %cr0,%eax
  orb $1,%al
  movl %eax,%cr0
  jmp 1f
1: mov $8,%bx
  mov %bx,%ds
  andb $0xfe,%al
  movl %eax,%cr0
  jmp 2f
2: xor %ax,%ax
  mov %ax,%ds
  movl $0xfee00300,%edi
  movl $0x000c4500,(%edi)    /* INIT */
  call wait
  movl $0x000c46f0,(%edi)    /* start at F000:0000, once: some KVMs would start a running CPU again */
halt:
  hlt
  jmp halt
wait:
  mov $2000,%cx
1: outb %al,$0x80
  loop 1b
  ret

rows:
  mov $ranges,%si
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
  orl %ebx,%eax
  orl %ecx,%eax
  orl %edx,%eax
  jz 1f
  movzwl 0x600,%eax
  movl %eax,0x60c
  call write_row
1: incw 0x600
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
  mov $0x608,%bx
1: movl $-1,(%bx)
  add $4,%bx
  cmp $0x620,%bx
  jb 1b
  call write_row
  mov $0xcf9,%dx
  mov $0x02,%al
  outb %al,%dx
  mov $0x06,%al
  outb %al,%dx
  jmp halt

write_row:
  mov $0x608,%bx
  mov $24,%cx
  mov $0x3f8,%dx
1: movb (%bx),%al
  outb %al,%dx
  inc %bx
  loop 1b
  ret

ranges: .long 0, 0x40000000, 0x40000100, 0x80000000, 0xc0000000, 0xffffffff
.balign 8
gdt:                         /* accessed already: this is ROM */
  .quad 0, 0x00cf93000000ffff
gdt_pointer:
  .word 15
  .long 0xf0000 + gdt
.org 0xff00
  .long -1
.org 0xfff0
  ljmp $0xf000,$0
.org 0x10000
