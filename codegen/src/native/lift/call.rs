//! Calls, and what the loader of a program would fill in: maps, variables, function addresses.

use super::{Built, Lifter};
use crate::llvm::native;
use crate::native::abi::{self, Lddw};
use crate::native::insn::{Callee, Reg, Wide};
use crate::native::object::{Place, Target};
use inkwell::IntPredicate;
use inkwell::values::{BasicMetadataValueEnum, BasicValueEnum, CallSiteValue, FunctionValue, IntValue};

/// The result of a call of a function that returns a number; `otherwise` for one that returns nothing.
pub(super) fn number<'ctx>(call: CallSiteValue<'ctx>, otherwise: IntValue<'ctx>) -> IntValue<'ctx> {
    match call.try_as_basic_value().basic() {
        Some(BasicValueEnum::IntValue(value)) => value,
        _ => otherwise,
    }
}

impl<'ctx> Lifter<'_, '_, 'ctx> {
    fn call_number(
        &mut self,
        function: FunctionValue<'ctx>,
        arguments: &[IntValue<'ctx>],
    ) -> Built<IntValue<'ctx>> {
        let arguments: Vec<BasicMetadataValueEnum<'ctx>> =
            arguments.iter().map(|value| (*value).into()).collect();
        let call = self.builder.build_call(function, &arguments, "")?;
        Ok(number(call, self.constant(0)))
    }

    pub(super) fn call(&mut self, callee: Callee, slot: usize) -> Built<()> {
        let target = self.unit.targets(self.place.section).get(&slot);
        let function = match (callee, target) {
            (_, Some(Target::Function(place))) => self.unit.local(*place),
            (_, Some(Target::Extern(name))) => self.unit.external(name),
            (Callee::Helper(abi::TAIL_CALL), _) => return self.tail_call(),
            (Callee::Helper(abi::UNRELOCATED), _) => {
                self.unit.unrelocated(Place { section: self.place.section, slot })
            }
            (Callee::Helper(number), _) => self.unit.helper(number),
            (Callee::Local(slot), _) => self.unit.local(Place { section: self.place.section, slot }),
            (Callee::Kernel(id), _) => self.unit.external(&abi::kernel_function(id)),
        };
        let mut arguments = Vec::with_capacity(5);
        for register in 1..=5 {
            arguments.push(self.int(register)?);
        }
        let result = self.call_number(function, &arguments)?;
        self.after_call(result);
        Ok(())
    }

    /// The kernel gives the argument registers no value after a call; zero needs no register to live in.
    fn after_call(&mut self, result: IntValue<'ctx>) {
        self.state.set_int(0, result);
        for register in 1..=5 {
            self.state.set_int(register, self.constant(0));
        }
    }

    /// The helper gives the address of the program to go on with, or an error, and then this one goes on.
    fn tail_call(&mut self) -> Built<()> {
        let helper = self.unit.helper(abi::TAIL_CALL);
        let mut arguments = Vec::with_capacity(5);
        for register in 1..=5 {
            arguments.push(self.int(register)?);
        }
        let context = self.pointer(1)?;
        let address = self.call_number(helper, &arguments)?;
        // As the kernel's pointers and errors share a register: the last page of addresses is errors.
        let below = self.builder.build_int_sub(address, self.constant(1), "")?;
        let last = self.constant(-4096 - 1);
        let found = self.builder.build_int_compare(IntPredicate::ULT, below, last, "")?;
        let taken = self.unit.context.append_basic_block(self.function, "");
        let failed = self.unit.context.append_basic_block(self.function, "");
        self.builder.build_conditional_branch(found, taken, failed)?;
        self.builder.position_at_end(taken);
        let program = self.builder.build_int_to_ptr(address, self.unit.ptr(), "")?;
        let arguments = [context.into(), self.size.into()];
        let call = self.builder.build_indirect_call(self.unit.program_type(), program, &arguments, "")?;
        let result = number(call, self.constant(0));
        self.builder.build_return(Some(&result))?;
        self.builder.position_at_end(failed);
        self.after_call(address);
        Ok(())
    }

    pub(super) fn load_packet(&mut self, bytes: u32, index: Option<Reg>, offset: i32) -> Built<()> {
        let packet = self.int(6)?;
        // The sum is of 32 bits, as the kernel's.
        let fixed = self.bits(32).const_int(offset as u32 as u64, false);
        let place = match index {
            None => fixed,
            Some(index) => {
                let index = self.low(index)?;
                self.builder.build_int_add(index, fixed, "")?
            }
        };
        let place = self.builder.build_int_s_extend(place, self.bits(64), "")?;
        let helper = self.unit.packet_helper();
        let bytes = self.constant(i64::from(bytes));
        let value = self.call_number(helper, &[packet, place, bytes])?;
        let outside = self.builder.build_int_compare(IntPredicate::SLT, value, self.constant(0), "")?;
        let end = self.unit.context.append_basic_block(self.function, "");
        let inside = self.unit.context.append_basic_block(self.function, "");
        self.builder.build_conditional_branch(outside, end, inside)?;
        self.builder.position_at_end(end);
        self.builder.build_return(Some(&self.constant(0)))?;
        self.builder.position_at_end(inside);
        self.state.set_int(0, value);
        Ok(())
    }

    pub(super) fn load_wide(&mut self, dst: Reg, value: Wide, slot: usize) -> Built<()> {
        let target = self.unit.targets(self.place.section).get(&slot).cloned();
        if let Some(target) = target {
            return self.load_target(dst, &target);
        }
        let int = match value {
            Wide::Number(value) => {
                if let Some(value) = self.load_time.take() {
                    self.state.set_int(dst, value);
                    return Ok(());
                }
                self.state.set_int(dst, self.unit.i64().const_int(value, false));
                return Ok(());
            }
            Wide::Code(slot) => {
                let place = Place { section: self.place.section, slot };
                return self.load_target(dst, &Target::Function(place));
            }
            Wide::MapByFd(fd) => self.lddw(Lddw::MapByFd, fd)?,
            Wide::MapByIndex(index) => self.lddw(Lddw::MapByIndex, index)?,
            Wide::Variable(id) => self.lddw(Lddw::Variable, id)?,
            Wide::MapValueByFd(fd, offset) => {
                let map = self.lddw(Lddw::MapByFd, fd)?;
                return self.map_value(dst, map, offset);
            }
            Wide::MapValueByIndex(index, offset) => {
                let map = self.lddw(Lddw::MapByIndex, index)?;
                return self.map_value(dst, map, offset);
            }
        };
        self.set_address(dst, int)
    }

    fn load_target(&mut self, dst: Reg, target: &Target) -> Built<()> {
        if let Some(slot) = self.unit.target_slot(target) {
            let start = self.builder.build_load(self.unit.ptr(), slot, "")?.into_pointer_value();
            let pointer = match target {
                Target::Data(_, offset) => {
                    let offset = self.constant(*offset as i64);
                    native::offset(&self.builder, self.bits(8), start, offset)?
                }
                _ => start,
            };
            self.state.set_pointer(dst, pointer);
            return Ok(());
        }
        match target {
            Target::Map(index) => {
                let map = self.lddw(Lddw::MapByFd, *index as i32)?;
                self.set_address(dst, map)
            }
            Target::Data(section, offset) => {
                let start = self.unit.data(*section);
                let offset = self.constant(*offset as i64);
                let pointer = native::offset(&self.builder, self.bits(8), start, offset)?;
                self.state.set_pointer(dst, pointer);
                Ok(())
            }
            Target::Function(place) => {
                let pointer = self.unit.local(*place).as_global_value().as_pointer_value();
                self.state.set_pointer(dst, pointer);
                Ok(())
            }
            Target::Extern(name) => {
                let pointer = self.unit.external_variable(name);
                self.state.set_pointer(dst, pointer);
                Ok(())
            }
        }
    }

    fn lddw(&mut self, which: Lddw, argument: i32) -> Built<IntValue<'ctx>> {
        let helper = self.unit.lddw(which);
        let argument = self.bits(32).const_int(argument as u32 as u64, false);
        self.call_number(helper, &[argument])
    }

    fn map_value(&mut self, dst: Reg, map: IntValue<'ctx>, offset: i32) -> Built<()> {
        let helper = self.unit.lddw(Lddw::MapValue);
        let start = self.call_number(helper, &[map])?;
        let start = self.builder.build_int_to_ptr(start, self.unit.ptr(), "")?;
        let offset = self.constant(i64::from(offset as u32));
        let pointer = native::offset(&self.builder, self.bits(8), start, offset)?;
        self.state.set_pointer(dst, pointer);
        Ok(())
    }

    fn set_address(&mut self, dst: Reg, address: IntValue<'ctx>) -> Built<()> {
        let pointer = self.builder.build_int_to_ptr(address, self.unit.ptr(), "")?;
        self.state.set_pointer(dst, pointer);
        Ok(())
    }
}
