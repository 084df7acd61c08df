// Every way the engine refuses work has a type of its own, so that callers can tell a mistake in
// their shapes from a lost device. All of them derive from EngineError.

/** Base class of everything the engine throws on purpose. */
export class EngineError extends Error {
  override name = 'EngineError';
}

/** Operand shapes do not fit the op, or a shape is not a list of positive integers. */
export class ShapeError extends EngineError {
  override name = 'ShapeError';
}

/** An operand has a dtype that the op or the device does not take. */
export class DtypeError extends EngineError {
  override name = 'DtypeError';
}

/** A tensor was used after the scope that owned it ended. */
export class ReleasedTensorError extends EngineError {
  override name = 'ReleasedTensorError';
}

/** Operands live on different devices. */
export class DeviceMismatchError extends EngineError {
  override name = 'DeviceMismatchError';
}

/** A buffer, a binding or a workgroup count is beyond what the device can do. */
export class LimitError extends EngineError {
  override name = 'LimitError';
}

/** The device, or the budget given to `openDevice`, has no memory left for a tensor. */
export class OutOfMemoryError extends EngineError {
  override name = 'OutOfMemoryError';
}

/** The device was destroyed or lost; everything on it is gone. */
export class DeviceLostError extends EngineError {
  override name = 'DeviceLostError';
}

/** WebGPU rejected a kernel or a command: a bug in this engine or in its driver. */
export class KernelError extends EngineError {
  override name = 'KernelError';
}

/** No WebGPU adapter was found. */
export class NoAdapterError extends EngineError {
  override name = 'NoAdapterError';
}
