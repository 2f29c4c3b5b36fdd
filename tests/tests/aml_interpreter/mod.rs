//! An interpreter of as much AML as the tables of this project have, over ports that the caller answers. It knows nothing of CPUs.
//!
//! ACPICA's `acpiexec` has memory behind ports, and the interpreters written in Rust need a compiler from the future; so this is
//! what runs the methods against real registers. It panics at anything that it does not know: it is no use outside tests.

use std::collections::HashMap;
use std::ops::Range;

/// What the interpreter asks of the machine.
pub(crate) trait Ports {
    fn read(&mut self, port: u16, size: u8) -> u32;
    fn write(&mut self, port: u16, size: u8, value: u32);
    /// The operating system is told of an object, by its full name.
    fn notify(&mut self, object: &str, value: u32);
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Of 32 bits, as in tables of revision 1.
    Integer(u32),
    String(String),
    Buffer(Vec<u8>),
    Package(Vec<Value>),
}

#[derive(Debug, Clone)]
enum Object {
    Value(Value),
    Method { arguments: usize, body: Range<usize> },
    Region { port: u16 },
    Field { port: u16, first_bit: u32, bits: u32, size: u8, preserve: bool },
    Mutex,
    Device,
}

/// A table and the objects that it declares, by their full names without the root.
pub(crate) struct Interpreter {
    aml: Vec<u8>,
    objects: HashMap<String, Object>,
}

struct Frame<'a> {
    scope: String,
    arguments: Vec<Value>,
    locals: [Value; 8],
    ports: &'a mut dyn Ports,
    held: Vec<String>,
}

enum Flow {
    Next,
    Break,
    Return(Value),
}

fn child(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}

/// A full name as it is written: without the underscores at the ends of its parts, and with them.
fn full(path: &str) -> String {
    let parts = path.trim_start_matches('\\').split('.').map(|part| format!("{part:_<4}"));
    parts.collect::<Vec<_>>().join(".")
}

/// A place in the table.
struct Cursor<'a> {
    aml: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn byte(&mut self) -> u8 {
        self.at += 1;
        self.aml[self.at - 1]
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        self.at += length;
        self.aml[self.at - length..self.at].to_vec()
    }

    fn number(&mut self, length: usize) -> u32 {
        self.take(length).iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
    }

    /// The number that stands before a package or after a field's name.
    fn length(&mut self) -> usize {
        let lead = usize::from(self.byte());
        match lead >> 6 {
            0 => lead,
            more => (lead & 0xf) | (self.number(more) as usize) << 4,
        }
    }

    /// What a package holds; the cursor is at its beginning.
    fn package(&mut self) -> Range<usize> {
        let start = self.at;
        let end = start + self.length();
        self.at..end
    }

    /// A name, and whether it begins at the root.
    fn name(&mut self) -> (bool, String) {
        let rooted = self.aml[self.at] == b'\\';
        self.at += usize::from(rooted);
        let parts = match self.aml[self.at] {
            0x2e => {
                self.at += 1;
                2
            }
            0x2f => {
                self.at += 1;
                self.byte().into()
            }
            _ => 1,
        };
        let parts: Vec<_> = (0..parts).map(|_| String::from_utf8(self.take(4)).expect("a name")).collect();
        (rooted, parts.join("."))
    }

    /// A value that the table gives.
    fn constant(&mut self) -> Value {
        match self.byte() {
            0 => Value::Integer(0),
            1 => Value::Integer(1),
            0x0a => Value::Integer(self.number(1)),
            0x0b => Value::Integer(self.number(2)),
            0x0c => Value::Integer(self.number(4)),
            0x0d => {
                let length = self.aml[self.at..].iter().position(|byte| *byte == 0).expect("an end");
                let text = String::from_utf8(self.take(length)).expect("text");
                self.at += 1;
                Value::String(text)
            }
            0x11 => {
                let package = self.package();
                let Value::Integer(length) = self.constant() else { panic!("the length of a buffer") };
                let mut bytes = self.take(package.end - self.at);
                bytes.resize(length as usize, 0);
                Value::Buffer(bytes)
            }
            0x12 => {
                let _ = self.package();
                Value::Package((0..self.byte()).map(|_| self.constant()).collect())
            }
            other => panic!("no constant: {other:#x} at {:#x}", self.at),
        }
    }

    fn port(&mut self) -> u16 {
        let Value::Integer(number) = self.constant() else { panic!("no port") };
        number.try_into().expect("a port")
    }
}

impl Interpreter {
    /// Reads a table without its header.
    pub(crate) fn new(aml: &[u8]) -> Self {
        let mut interpreter = Self { aml: aml.to_vec(), objects: HashMap::new() };
        interpreter.declare(0..aml.len(), "");
        interpreter
    }

    fn declare(&mut self, terms: Range<usize>, scope: &str) {
        let aml = self.aml.clone();
        let mut cursor = Cursor { aml: &aml, at: terms.start };
        let named = |cursor: &mut Cursor<'_>| match cursor.name() {
            (true, name) => name,
            (false, name) => child(scope, &name),
        };
        while cursor.at < terms.end {
            let operator = match cursor.byte() {
                0x5b => 0x5b00 | u16::from(cursor.byte()),
                other => other.into(),
            };
            let (name, object) = match operator {
                0x08 => (named(&mut cursor), Object::Value(cursor.constant())),
                0x14 => {
                    let package = cursor.package();
                    let name = named(&mut cursor);
                    let arguments = usize::from(cursor.byte() & 7);
                    let body = cursor.at..package.end;
                    cursor.at = package.end;
                    (name, Object::Method { arguments, body })
                }
                0x5b01 => {
                    let name = named(&mut cursor);
                    cursor.at += 1;
                    (name, Object::Mutex)
                }
                0x5b80 => {
                    let name = named(&mut cursor);
                    assert_eq!(cursor.byte(), 1, "not in the ports");
                    let port = cursor.port();
                    cursor.constant();
                    (name, Object::Region { port })
                }
                0x5b81 => {
                    self.fields(&mut cursor, scope);
                    continue;
                }
                0x10 | 0x5b82 | 0x5b83 => {
                    let package = cursor.package();
                    let name = named(&mut cursor);
                    // A processor has an ID and a register block.
                    cursor.at += if operator == 0x5b83 { 6 } else { 0 };
                    self.declare(cursor.at..package.end, &name);
                    cursor.at = package.end;
                    (name, Object::Device)
                }
                other => panic!("no declaration: {other:#x} at {:#x}", cursor.at),
            };
            self.objects.insert(name, object);
        }
    }

    fn fields(&mut self, cursor: &mut Cursor<'_>, scope: &str) {
        let package = cursor.package();
        let region = child(scope, &cursor.name().1);
        let Some(Object::Region { port }) = self.objects.get(&region).cloned() else { panic!("no region") };
        let flags = cursor.byte();
        let size = match flags & 0xf {
            1 => 1,
            3 => 4,
            other => panic!("accesses of kind {other}"),
        };
        let mut first_bit = 0;
        while cursor.at < package.end {
            let reserved = cursor.aml[cursor.at] == 0;
            let name = if reserved { cursor.take(1) } else { cursor.take(4) };
            let bits = cursor.length() as u32;
            if !reserved {
                let name = child(scope, &String::from_utf8(name).expect("a name"));
                let preserve = flags >> 5 & 3 == 0;
                self.objects.insert(name, Object::Field { port, first_bit, bits, size, preserve });
            }
            first_bit += bits;
        }
    }

    /// The full name that a name means in a scope: that of the scope itself, or of the nearest around it.
    fn resolve(&self, (rooted, name): (bool, String), scope: &str) -> String {
        if rooted || name.contains('.') {
            return if rooted { name } else { child(scope, &name) };
        }
        let mut scope = Some(scope);
        while let Some(around) = scope {
            let found = child(around, &name);
            if self.objects.contains_key(&found) {
                return found;
            }
            scope = match around.rsplit_once('.') {
                Some((around, _)) => Some(around),
                None => (!around.is_empty()).then_some(""),
            };
        }
        panic!("no {name}")
    }

    /// Evaluates an object; `None` if there is none. A method without a result gives 0.
    pub(crate) fn evaluate(&self, path: &str, arguments: &[u32], ports: &mut dyn Ports) -> Option<Value> {
        let path = full(path);
        match self.objects.get(&path)? {
            Object::Value(value) => Some(value.clone()),
            Object::Method { .. } => {
                let arguments = arguments.iter().map(|argument| Value::Integer(*argument)).collect();
                Some(self.call(&path, arguments, ports))
            }
            other => panic!("{path} is {other:?}"),
        }
    }

    fn call(&self, path: &str, arguments: Vec<Value>, ports: &mut dyn Ports) -> Value {
        let Object::Method { arguments: count, body } = &self.objects[path] else { panic!("{path}") };
        assert_eq!(arguments.len(), *count, "{path}");
        let locals = std::array::from_fn(|_| Value::Integer(0));
        let scope = path.rsplit_once('.').map_or("", |(scope, _)| scope).to_owned();
        let mut frame = Frame { scope, arguments, locals, ports, held: Vec::new() };
        let flow = self.run(body.clone(), &mut frame);
        assert_eq!(frame.held, Vec::<String>::new(), "{path} keeps a mutex");
        match flow {
            Flow::Return(value) => value,
            Flow::Next => Value::Integer(0),
            Flow::Break => panic!("a break outside a loop"),
        }
    }

    fn run(&self, terms: Range<usize>, frame: &mut Frame<'_>) -> Flow {
        let mut cursor = Cursor { aml: &self.aml, at: terms.start };
        while cursor.at < terms.end {
            match self.aml[cursor.at] {
                operator @ (0xa0 | 0xa2) => {
                    cursor.at += 1;
                    let package = cursor.package();
                    let predicate = cursor.at;
                    loop {
                        cursor.at = predicate;
                        if self.integer(&mut cursor, frame) == 0 {
                            break;
                        }
                        match self.run(cursor.at..package.end, frame) {
                            Flow::Next if operator == 0xa2 => {}
                            Flow::Break if operator == 0xa2 => break,
                            Flow::Next => break,
                            flow => return flow,
                        }
                    }
                    cursor.at = package.end;
                }
                0xa4 => {
                    cursor.at += 1;
                    return Flow::Return(self.term(&mut cursor, frame));
                }
                0xa5 => return Flow::Break,
                _ => drop(self.term(&mut cursor, frame)),
            }
        }
        Flow::Next
    }

    fn integer(&self, cursor: &mut Cursor<'_>, frame: &mut Frame<'_>) -> u32 {
        match self.term(cursor, frame) {
            Value::Integer(number) => number,
            other => panic!("no integer: {other:?}"),
        }
    }

    fn term(&self, cursor: &mut Cursor<'_>, frame: &mut Frame<'_>) -> Value {
        let operator = self.aml[cursor.at];
        match operator {
            0 | 1 | 0x0a..=0x0d | 0x11 | 0x12 => return cursor.constant(),
            b'\\' | b'A'..=b'Z' | b'_' | 0x2e | 0x2f => return self.reference(cursor, frame),
            _ => cursor.at += 1,
        }
        let truth = |truth: bool| Value::Integer(if truth { u32::MAX } else { 0 });
        match operator {
            0x60..=0x67 => frame.locals[usize::from(operator - 0x60)].clone(),
            0x68..=0x6e => frame.arguments[usize::from(operator - 0x68)].clone(),
            0x70 => {
                let value = self.term(cursor, frame);
                self.store(cursor, frame, value)
            }
            0x72 | 0x7d => {
                let (left, right) = (self.integer(cursor, frame), self.integer(cursor, frame));
                let value = if operator == 0x72 { left.wrapping_add(right) } else { left | right };
                self.store(cursor, frame, Value::Integer(value))
            }
            0x86 => {
                let object = self.resolve(cursor.name(), &frame.scope);
                assert!(matches!(self.objects.get(&object), Some(Object::Device)), "{object}");
                let value = self.integer(cursor, frame);
                frame.ports.notify(&object, value);
                Value::Integer(0)
            }
            0x92 => truth(self.integer(cursor, frame) == 0),
            0x93 => truth(self.integer(cursor, frame) == self.integer(cursor, frame)),
            0x95 => truth(self.integer(cursor, frame) < self.integer(cursor, frame)),
            0x5b => {
                let operator = cursor.byte();
                let mutex = self.resolve(cursor.name(), &frame.scope);
                assert!(matches!(self.objects.get(&mutex), Some(Object::Mutex)), "{mutex}");
                if operator == 0x23 {
                    assert_eq!(cursor.number(2), 0xffff, "an acquisition that may fail");
                    frame.held.push(mutex);
                } else {
                    assert_eq!((operator, frame.held.pop()), (0x27, Some(mutex)));
                }
                Value::Integer(0)
            }
            other => panic!("no operator: {other:#x} at {:#x}", cursor.at),
        }
    }

    /// An object by its name: a method's result, a field's or a name's value.
    fn reference(&self, cursor: &mut Cursor<'_>, frame: &mut Frame<'_>) -> Value {
        let name = self.resolve(cursor.name(), &frame.scope);
        match &self.objects[&name] {
            Object::Value(value) => value.clone(),
            Object::Method { arguments, .. } => {
                let arguments = (0..*arguments).map(|_| self.term(cursor, frame)).collect();
                self.call(&name, arguments, frame.ports)
            }
            Object::Field { port, first_bit, bits, size, .. } => {
                let (port, shift) = place(*port, *first_bit, *bits, *size);
                assert_ne!(frame.held, Vec::<String>::new(), "a read of {name} without a mutex");
                Value::Integer(frame.ports.read(port, *size) >> shift & mask(*bits))
            }
            other => panic!("{name} is {other:?}"),
        }
    }

    /// Stores where the cursor points to; what was stored.
    fn store(&self, cursor: &mut Cursor<'_>, frame: &mut Frame<'_>, value: Value) -> Value {
        let target = self.aml[cursor.at];
        if matches!(target, 0x60..=0x67) {
            cursor.at += 1;
            frame.locals[usize::from(target - 0x60)] = value.clone();
            return value;
        }
        let name = self.resolve(cursor.name(), &frame.scope);
        let (Object::Field { port, first_bit, bits, size, preserve }, Value::Integer(number)) =
            (&self.objects[&name], &value)
        else {
            panic!("a store of {value:?} to {name}")
        };
        assert_ne!(frame.held, Vec::<String>::new(), "a write of {name} without a mutex");
        let (port, shift) = place(*port, *first_bit, *bits, *size);
        let others = !(mask(*bits) << shift) & mask(u32::from(*size) * 8);
        let kept = if *preserve && others != 0 { frame.ports.read(port, *size) & others } else { 0 };
        frame.ports.write(port, *size, kept | (number & mask(*bits)) << shift);
        value
    }
}

/// The port and the lowest bit there of a field, which one access reaches.
fn place(port: u16, first_bit: u32, bits: u32, size: u8) -> (u16, u32) {
    let unit = u32::from(size) * 8;
    assert!(first_bit % unit + bits <= unit, "a field across accesses");
    let offset = u16::try_from(first_bit / unit).expect("a short block") * u16::from(size);
    (port + offset, first_bit % unit)
}

fn mask(bits: u32) -> u32 {
    u32::MAX >> (32 - bits)
}
