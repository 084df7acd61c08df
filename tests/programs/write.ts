// Writes 400 kB of weights to a file, or says why it could not.

import { writeSafetensors } from '../../weights/write-safetensors.ts';

const data = new Float32Array(100_000);
await writeSafetensors(process.argv[2]!, { w: { dtype: 'F32', shape: [100_000], data } }).catch((error) => {
  console.log(error.name, error.message);
});
