# Brings a CPU to the size of code that MODE says, and halts there. Linked to 0xf0000; the reset vector jumps to its start.

        .set    TABLES, 0x1000

        .text
        .code16
start:
        cli
        .if     MODE != 16
        lgdtl   %cs:gdt_register - 0xf0000
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $8, $protected
        .endif
halt16:
        hlt
        jmp     halt16

        .code32
protected:
        .if     MODE == 64
        movl    $16, %eax
        movl    %eax, %ds
        # The first 2 MiB, mapped to themselves.
        movl    $TABLES + 0x1003, TABLES
        movl    $TABLES + 0x2003, TABLES + 0x1000
        movl    $0x83, TABLES + 0x2000
        movl    $TABLES, %eax
        movl    %eax, %cr3
        movl    %cr4, %eax
        orl     $0x20, %eax
        movl    %eax, %cr4
        movl    $0xc0000080, %ecx
        rdmsr
        orl     $0x100, %eax
        wrmsr
        movl    %cr0, %eax
        orl     $0x80000000, %eax
        movl    %eax, %cr0
        ljmpl   $24, $long
        .endif
halt32:
        hlt
        jmp     halt32

        .code64
long:
        hlt
        jmp     long

        .balign 8
gdt:
        .quad   0
        .quad   0x00cf9b000000ffff
        .quad   0x00cf93000000ffff
        .quad   0x00af9b000000ffff
gdt_register:
        .word   . - gdt - 1
        .long   gdt
