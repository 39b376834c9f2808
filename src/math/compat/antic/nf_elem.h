/* nf_elem.h - see nf.h. Elements stand inside Calcium's numbers, so their size counts: Antic 0.2
 * keeps them as a polynomial, or as numerators and a denominator in fields of degree one and two.
 */
#pragma once

#include <flint/fmpq_poly.h>

typedef union {
    fmpq_poly_struct elem;
    fmpz lelem[2];
    fmpz qelem[4];
} nf_elem_struct;
