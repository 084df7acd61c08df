// Locks the first argument's folder for the second's milliseconds, and says whether it could.

import { lockFolder } from '../../files/folder-lock.ts';

const [folder, pause] = process.argv.slice(2);
await lockFolder(folder!).then(
  () => console.log('locked'),
  (error) => console.log(error.name, error.message),
);
await new Promise((resolve) => setTimeout(resolve, Number(pause)));
