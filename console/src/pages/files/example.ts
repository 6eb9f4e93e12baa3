/** A file with a row of each operation that the service has at set-up. */
export const EXAMPLE = `operation,arguments
addition,"[1, 2, 3.5]"
substraction,"[10, 4]"
multiplication,"[6, 7]"
division,"[1, 3]"
square_root,[2]
random_string,[]
`;
