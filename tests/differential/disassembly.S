# What record_disassembly.py has QEMU disassemble: instructions as compilers, kernels and firmware have them. A part for each size of
# code; each begins where the script reads its label.

        .macro common
        nop
        movb    $0x5a, %al
        movb    %bh, %dl
        movw    $0x1234, %ax
        movw    %cx, %si
        movl    $0x12345678, %eax
        movl    $7, %ecx
        movl    $-1, %edx
        movl    %esp, %ebp
        addb    $1, %al
        addl    $0x1000, %ebx
        addl    $-16, %esp
        orl     %eax, %ecx
        adcl    %edx, %eax
        sbbl    $0, %edx
        andl    $0xfffffff0, %eax
        andb    $0xfe, %al
        subl    %esi, %edi
        subl    $8, %edx
        xorl    %eax, %eax
        xorw    %ax, %ax
        cmpl    $9, %eax
        cmpl    $10, %eax
        cmpb    $0x20, %al
        testl   %eax, %eax
        testb   $1, %cl
        addb    $-1, %cl
        cmpb    $0x80, %al
        addl    $-2, %ecx
        .byte   0x81, 0xc1, 0xf0, 0xff, 0xff, 0xff
        movb    $-1, %al
        movw    $-1, %cx
        cmpw    $-1, %ax
        imull   $-3, %ecx, %eax
        orl     $-1, %eax
        testl   $-2, %eax
        xorb    $-1, %dl
        sbbl    %eax, %eax
        notl    %eax
        negl    %ecx
        mull    %ebx
        imull   %ecx, %eax
        imull   $100, %ecx, %eax
        divl    %ecx
        idivl   %ebx
        shll    $4, %eax
        shrl    $1, %ecx
        shrl    %eax
        sarl    %cl, %edx
        roll    $8, %eax
        rorw    $8, %ax
        shldl   $12, %eax, %edx
        shrdl   %cl, %eax, %edx
        bswapl  %eax
        btl     $3, %eax
        btsl    %ecx, %eax
        bsfl    %eax, %ecx
        bsrl    %eax, %ecx
        popcntl %eax, %ecx
        xchgl   %eax, %ebx
        xchgb   %al, %ah
        cmpxchgl %ecx, %edx
        xaddl   %eax, %ebx
        movzbl  %al, %eax
        movzwl  %ax, %ecx
        movsbl  %cl, %ecx
        movswl  %dx, %edx
        sete    %al
        setne   %cl
        seta    %dl
        cmovel  %eax, %ecx
        cmovbl  %ecx, %edx
        cmovgel %edx, %eax
        cltd
        cwtl
        cwtd
        cbtw
        lahf
        sahf
        pushfw
        popfw
        clc
        stc
        cmc
        cld
        std
        cli
        sti
        hlt
        inb     $0x60, %al
        inb     %dx, %al
        inl     %dx, %eax
        outb    %al, $0x80
        outb    %al, %dx
        outw    %ax, %dx
        outl    %eax, %dx
        insb
        outsl
        movsb
        rep movsb
        rep movsl
        rep stosb
        rep stosl
        repne scasb
        repe cmpsb
        lodsb
        stosw
        int3
        int     $0x80
        iretl
        ret
        ret     $8
        lretl
        leave
        cpuid
        rdtsc
        rdtscp
        rdmsr
        wrmsr
        rdpmc
        wbinvd
        invd
        clts
        ud2
        pause
        lfence
        mfence
        sfence
        xgetbv
        xsetbv
        rdrand  %eax
        vmcall
        vmmcall
        monitor
        mwait
        smsww   %ax
        lmsw    %ax
        strw    %ax
        ltr     %ax
        lldt    %cx
        verr    %ax
        movw    %ds, %ax
        movw    %ax, %ss
        movw    %cx, %gs
        fninit
        fldz
        fld1
        fldpi
        fld     %st(1)
        fstp    %st(2)
        faddp
        fxch    %st(1)
        fadd    %st(1), %st
        fadd    %st, %st(2)
        fmulp   %st, %st(3)
        fsubrp
        fdivrp  %st, %st(2)
        fcom    %st(1)
        fcomi   %st(1), %st
        fcmove  %st(2), %st
        fsqrt
        fnstsw  %ax
        fnclex
        emms
        .endm

        # On vectors. (Not for 16-bit code, where the reference takes prefixes for sizes of operands.)
        .macro vectors
        movaps  %xmm0, %xmm1
        movups  %xmm3, %xmm2
        xorps   %xmm1, %xmm1
        addps   %xmm0, %xmm1
        mulsd   %xmm0, %xmm1
        divss   %xmm2, %xmm3
        ucomisd %xmm1, %xmm0
        pxor    %xmm7, %xmm7
        paddd   %xmm1, %xmm0
        pshufd  $0x1b, %xmm0, %xmm1
        psrldq  $4, %xmm2
        pmovmskb %xmm1, %eax
        movd    %eax, %xmm0
        movdqa  %xmm1, %xmm2
        cvtsi2sd %eax, %xmm0
        cvttsd2si %xmm0, %eax
        aesenc  %xmm1, %xmm2
        pclmulqdq $0x11, %xmm1, %xmm2
        crc32b  %al, %ecx
        vmovaps %ymm0, %ymm1
        vaddps  %ymm0, %ymm1, %ymm2
        vpxor   %xmm0, %xmm1, %xmm2
        vfmadd231sd %xmm0, %xmm1, %xmm2
        vzeroupper
        movups  (%eax), %xmm0
        movaps  %xmm1, 0x10(%ecx)
        movsd   (%eax), %xmm2
        movss   %xmm3, (%eax)
        paddd   (%eax), %xmm1
        ldmxcsr (%eax)
        vmovdqu (%eax), %ymm1
        vmovdqu %ymm2, 0x20(%ecx)
        .endm

        # With operands in memory, addressed through 32-bit registers.
        .macro memory
        movl    (%eax), %ecx
        movl    4(%eax), %ecx
        movl    -8(%ebp), %eax
        movl    0x12345678(%ebx), %edx
        movl    (%eax,%ecx), %edx
        movl    8(%eax,%ecx,4), %edx
        movl    0x1000(,%ecx,8), %edx
        movb    %al, (%edi)
        movw    %ax, 2(%esi)
        movl    %eax, %fs:(%ecx)
        movl    $0, (%eax)
        movb    $1, 0x10(%ecx)
        movw    $0xaa55, (%edx)
        movl    $0x12345678, 0x7c(%ebx)
        addl    %eax, (%ebx)
        addb    $1, (%ecx)
        subl    $0x80, 4(%edi)
        lock incl (%eax)
        lock cmpxchgl %ecx, (%edx)
        lock orl $0, (%esp)
        incl    (%eax)
        decb    1(%eax)
        cmpb    $0, 3(%esi)
        cmpl    $0x7fffffff, (%esi)
        testb   $0x80, (%edi)
        leal    4(%eax,%ecx,2), %esi
        movzbl  (%eax), %ecx
        movswl  2(%eax), %ecx
        shll    (%eax)
        sarw    $3, (%ecx)
        notl    (%eax)
        mull    4(%ecx)
        flds    (%eax)
        fldl    8(%eax)
        fildl   (%ecx)
        fistpll (%ecx)
        fstps   (%edx)
        fldcw   (%eax)
        fnstcw  2(%eax)
        fxsave  (%eax)
        xsave   (%ecx)
        prefetchnta (%eax)
        prefetcht0 0x40(%eax)
        clflush (%eax)
        invlpg  (%eax)
        lgdtl   (%eax)
        lidtl   4(%eax)
        sgdtl   (%ecx)
        cmpxchg8b (%esi)
        btl     $5, (%eax)
        sete    (%eax)
        xchgl   %eax, (%ecx)
        xaddl   %ecx, (%eax)
        .endm

        .text
        .code16
code16:
        common
        pxor    %xmm7, %xmm7
        pushw   $-1
        movw    $-1, -4(%bp)
        movw    (%bx), %ax
        movw    (%bx,%si), %ax
        movb    4(%bp), %al
        movb    %al, -1(%bp,%di)
        movw    0x7c00, %ax
        movb    %al, 0x9000
        movb    0x1234(%di), %cl
        movb    $0, (%si)
        movw    $0xaa55, 0x1fe(%si)
        movw    %ax, %es:(%di)
        movb    %cs:(%bx), %al
        leaw    2(%bx,%di), %ax
        addw    %ax, (%bx)
        incw    (%si)
        cmpb    $0xd, (%si)
        lgdtw   0x600
        lidtw   %cs:0x608
        lgdtl   0x600
        pushw   %ax
        popw    %es
        pushw   $0x1234
        pushl   %eax
        pushaw
        popaw
        pushal
        pushw   %ds
        incw    %ax
        decw    %cx
        lcallw  *(%bx)
        ljmpw   $0xf000, $0xe05b
        ljmpl   $8, $0x100000
        lcallw  $0x1000, $0
1:      jmp     1b
        je      1b
        jnc     1f
        jcxz    1b
        loop    1b
        callw   1b
        callw   *%ax
        jmpw    *(%bx)
        jmpl    *%eax
1:      retw
        lretw
        iretw
        int     $0x10
        into
        movl    %cr0, %eax
        movl    %eax, %cr0
        movl    %eax, %cr3
        movl    %dr7, %eax
        ldsw    (%si), %si
        enter   $8, $0
        boundw  %ax, (%bx)
        aam
        daa
        rep movsw
        rep insw
        xlat
        memory
code16_end:

        .code32
code32:
        common
        vectors
        imull   $-0x1000, %ecx, %eax
        pushl   $-0x1000
        enter   $0xfcc5, $1
        sbbl    $-0x1000, (%eax)
        memory
        pushl   $-1
        movl    $-1, -4(%ebp)
        addl    $-8, -0x80000000(%eax)
        movl    0x12345678, %eax
        movb    %al, 0xb8000
        movl    %eax, 0xfee000b0
        movl    %gs:0x14, %eax
        movl    %cs:(%eax), %eax
        movw    (%bx,%si), %ax
        pushl   %eax
        popl    %ebp
        pushl   $0x12345678
        pushl   $8
        pushl   4(%esp)
        popl    (%eax)
        pushal
        popal
        pushl   %ds
        popl    %es
        pushfl
        popfl
        incl    %eax
        decl    %ecx
        incw    %ax
1:      jmp     1b
        jmp     code16
        je      1b
        jne     code16
        jg      1f
        jecxz   1b
        loop    1b
        calll   code16
        calll   *%eax
        calll   *4(%eax)
        jmpl    *%ecx
        jmpl    *0x1000(,%eax,4)
1:      ljmpl   $0x10, $0x200000
        lcalll  $0x18, $0
        ljmpl   *(%eax)
        retl
        lretl
        iretl
        movl    %cr0, %eax
        movl    %eax, %cr4
        movl    %dr6, %ecx
        lesl    (%eax), %edi
        lssl    (%eax), %esp
        enter   $16, $1
        arpl    %ax, %cx
        aaa
        sysenter
        sysexit
        movl    %ss, %eax
code32_end:

        .code64
code64:
        common
        vectors
        addq    $-0x1000, %rax
        pushq   $-0x1000
        cmpq    $-0x1000, (%rdi)
        imulq   $-0x1000, %rcx, %rax
        andq    $-0x1000, %rax
        xorq    $-1, %rax
        testq   $-0x1000, %rax
        pushq   $-1
        movl    $-1, -4(%rbp)
        cmpq    $-1, (%rdi)
        movq    $-1, %rax
        endbr64
        pushq   %rbp
        movq    %rsp, %rbp
        popq    %r12
        pushq   $0x12345678
        pushq   $8
        pushq   8(%rax)
        popq    (%rcx)
        movq    $0x12345678, %rax
        movq    $-1, %rcx
        movabsq $0x123456789abcdef0, %rax
        movabsq $0x123456789abcdef0, %r10
        movabsq 0x123456789abcdef0, %rax
        movabsl %eax, 0x123456789abcdef0
        movl    %r8d, %r9d
        movb    %sil, %dil
        movb    %r8b, %r15b
        movw    %r8w, %ax
        movq    %r15, %rax
        movslq  %eax, %rcx
        movzbl  %r9b, %eax
        movq    (%rax), %rcx
        movq    8(%rsp), %rdi
        movq    -0x18(%rbp), %rsi
        movq    (%rax,%rcx,8), %rdx
        movq    0x12345678(%r12,%r13,4), %r14
        movl    (%r8), %eax
        movl    (%eax), %ecx
        movq    %fs:0x28, %rax
        movq    %gs:(%rax), %rcx
        movl    0x1000, %eax
        movq    0x2000(%rip), %rax
        movl    %eax, -0x100(%rip)
        leaq    0x1234(%rip), %rdi
        leaq    (%rax,%rax,4), %rcx
        leal    1(%rdi), %eax
        movb    $0x41, (%rdi)
        movw    $0x1234, 2(%rdi)
        movl    $0, 4(%rdi)
        movq    $-1, 8(%rdi)
        movq    $0x12345678, (%rdi)
        addq    $1, %rax
        addq    $-0x80, %rsp
        subq    $0x1000, %rsp
        andq    $-16, %rsp
        xorq    %rax, %rax
        cmpq    $0x7fffffff, %rax
        cmpq    %rcx, (%rax)
        testq   %rdi, %rdi
        imulq   $24, %rax, %rcx
        imulq   8(%rdi), %rax
        mulq    %rcx
        divq    %r8
        shlq    $32, %rax
        shrq    %cl, %rdx
        sarq    $63, %rdx
        btq     %rax, (%rcx)
        bswapq  %rdx
        bsrq    %rax, %rcx
        popcntq %rax, %rcx
        tzcntq  %rax, %rcx
        lzcntl  %eax, %ecx
        andn    %rax, %rcx, %rdx
        blsr    %rax, %rcx
        shlx    %rax, %rcx, %rdx
        rorx    $5, %rax, %rcx
        mulx    %rax, %rcx, %rdx
        adcx    %rax, %rcx
        cqto
        cltq
        cmovneq %rax, %rcx
        lock xaddq %rax, (%rdi)
        lock cmpxchgq %rcx, (%rdi)
        lock cmpxchg16b (%rdi)
        lock decl (%rax)
        xchgq   %rax, (%rdi)
        rep movsq
        rep stosq
        repne scasb
        lodsq
        scasl
1:      jmp     1b
        je      1b
        jle     code16
        jmp     code16
        call    code16
        call    *%rax
        call    *8(%rax)
        call    *0x200(%rip)
        jmp     *%r11
        jmp     *(%rax,%rcx,8)
        jmp     *0x100(%rip)
        jrcxz   1b
        loop    1b
        ljmpl   *(%rax)
        ret
        ret     $16
        lretq
        iretq
        leaveq
        pushfq
        popfq
        enter   $16, $0
        syscall
        sysretq
        sysretl
        swapgs
        int     $0x21
        .byte   0xf1
        movq    %cr0, %rax
        movq    %cr2, %rdi
        movq    %rax, %cr3
        movq    %rax, %cr4
        movq    %cr8, %rax
        movq    %rax, %dr7
        movl    %ds, %eax
        movl    %eax, %ds
        movq    %rax, %fs
        lgdt    (%rax)
        lidt    0x10(%rsp)
        sidt    (%rdi)
        sldt    %rax
        str     %rax
        invlpg  (%rdi)
        invpcid (%rax), %rcx
        rdfsbase %rax
        wrgsbase %rcx
        rdpid   %rax
        rdseed  %rax
        stac
        clac
        fxsave64 (%rdi)
        fxrstor64 (%rdi)
        xsave64 (%rdi)
        xsaveopt (%rdi)
        xsavec64 (%rdi)
        xrstors64 (%rdi)
        clflushopt (%rdi)
        clwb    (%rdi)
        prefetchw (%rdi)
        movnti  %rax, (%rdi)
        movbe   (%rdi), %rax
        nopw    0(%rax,%rax,1)
        nopl    0(%rax)
        nopw    %cs:0(%rax,%rax,1)
        xchg    %ax, %ax
        movq    %rax, %xmm0
        movq    %xmm8, %r9
        movdqu  (%rdi), %xmm9
        movaps  %xmm15, 0x20(%rsp)
        cvtsi2sdq %rax, %xmm0
        pinsrq  $1, %rax, %xmm0
        pcmpeqb (%rdi), %xmm0
        pcmpistri $0x1a, (%rdi), %xmm0
        sha256rnds2 %xmm1, %xmm2
        vmovdqu (%rsi,%rax), %ymm8
        vmovdqa %ymm8, 0x40(%rdi)
        vpbroadcastb %xmm0, %ymm0
        vpcmpeqb (%rdi), %ymm0, %ymm1
        vpmovmskb %ymm1, %eax
        vbroadcastss 4(%rax), %ymm1
        vgatherdps %ymm0, (%rax,%ymm1,4), %ymm2
        vmovups %zmm0, (%rdi)
        vpaddd  %zmm1, %zmm2, %zmm3 {%k1}
        vaddps  (%rax) {1to16}, %zmm1, %zmm2 {%k2} {z}
        kmovw   %k1, %eax
        fldt    (%rax)
        fstpt   0x10(%rsp)
        fnsave  (%rdi)
        fucomip %st(1), %st
        pushw   %ax
        movl    %eax, %fs:0x10(%rdi,%rsi,2)
        addr32 movl (%ebx,%ecx,4), %eax
        vmrun
        vmload
        vmxoff
        vmptrld (%rax)
        vmread  %rax, %rcx
        serialize
        encls
        # Bytes that are no instruction, and one with prefixes that say nothing.
        .byte   0x06
        .byte   0x0f, 0x0a
        .byte   0x0f, 0xff, 0xc0
        .byte   0xc5, 0xff, 0xff
        .byte   0x66, 0x66, 0x66, 0x90
        .byte   0xf2, 0xf3, 0x90
        .byte   0x2e, 0x74, 0x00
        .byte   0xf3, 0x48, 0x0f, 0x1e, 0xc8
        .byte   0x48, 0x90
        .byte   0x41, 0x90
        .byte   0x82, 0xc0, 0x01
        nop
code64_end:
