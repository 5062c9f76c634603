/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first sectors of a disk that firmware boots from. What is read from it
 * through the firmware (INT 13h) starts a kernel that is in memory already,
 * put there by QEMU (-device loader), the way PVH has it.
 *
 * Needs: ENTRY (the kernel's PVH entry), MEMORY_MIB, CMDLINE. Two sectors, so
 * that there is room for an ext4 file system behind it.
 */
	.code16
	.globl _start
_start:
	cli
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw $0x7c00, %sp
	cld
	sti
	/* The disk we came from is still in DL. */
	movw $packet, %si
	movb $0x42, %ah
	int $0x13
	movw $no_read, %si
	jc say_and_stop
	movw $wrong, %si
	cmpl $0x21626876, second
	jne say_and_stop
	/* The last word of what ext4 says of itself first: its magic number */
	cmpw $0xef53, 0x7c00 + 1024 + 56
	jne say_and_stop
	movw $good, %si
	call say
	cli
	lgdtw table_pointer
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmpw $8, $protected

say_and_stop:
	call say
1:	hlt
	jmp 1b

/* To the first serial port, which in emulation needs no setting up */
say:
	movw $0x3f8, %dx
1:	lodsb
	testb %al, %al
	jz 2f
	outb %al, %dx
	jmp 1b
2:	ret

	.code32
protected:
	movw $16, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movl $start_info, %ebx
	movl $ENTRY, %eax
	jmp *%eax

good:		.asciz "boot sector: disk is read\n"
no_read:	.asciz "boot sector: disk cannot be read\n"
wrong:		.asciz "boot sector: disk has something else\n"

	.balign 4
/* 64 sectors from the second on, right behind this one */
packet:
	.byte 16, 0
	.word 64, 0x7e00, 0
	.quad 1

	.balign 8
table:
	.quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
table_pointer:
	.word . - table - 1
	.long table

	.org 510
	.word 0xaa55

second:
	.ascii "vhb!"
	.balign 8
/* struct hvm_start_info, version 1 */
start_info:
	.long 0x336ec578, 1, 0, 0
	.quad 0
	.long cmdline, 0
	.quad 0
	.long memory, 0
	.long 2, 0
memory:
	.quad 0, 0x9f000
	.long 1, 0
	/* The firmware's tables are at the end. */
	.quad 0x100000, (MEMORY_MIB - 3) << 20
	.long 1, 0
cmdline:
	.asciz CMDLINE
	.org 1024
