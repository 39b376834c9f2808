# Compile flags of the CPU kernel sets. Each set is one file; which one runs is decided at start by cpuid, so
# only these files may use its instructions.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    set(kernel_flags -O3 -ffp-contract=fast -Wno-psabi)
    if(LLMEVAL_SANITIZE) # unrolled loops with a check at every step take minutes to compile
        set(kernel_flags -O1 -ffp-contract=fast -Wno-psabi -DKERNELS_NOT_UNROLLED)
    endif()
    set(avx512_flags -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mprefer-vector-width=512)
    set(kernels ${CMAKE_SOURCE_DIR}/src/device/cpu/kernels_)
    set_source_files_properties(${kernels}avx2.c PROPERTIES COMPILE_OPTIONS "${kernel_flags};-mavx2;-mfma")
    set_source_files_properties(${kernels}avx512.c PROPERTIES COMPILE_OPTIONS "${kernel_flags};${avx512_flags}")
    set_source_files_properties(${kernels}avx512_bf16.c PROPERTIES
        COMPILE_OPTIONS "${kernel_flags};${avx512_flags};-mavx512bf16")
    set_source_files_properties(${kernels}amx_bf16.c PROPERTIES
        COMPILE_OPTIONS "${kernel_flags};${avx512_flags};-mavx512bf16;-mamx-tile;-mamx-bf16")
endif()

# Ranks as processes, where Open MPI is installed.
option(LLMEVAL_MPI "run ranks as processes under mpirun, if MPI is found" ON)
if(LLMEVAL_MPI)
    find_package(MPI QUIET COMPONENTS C)
    if(MPI_C_FOUND)
        target_compile_definitions(parallel PRIVATE HAVE_MPI=1)
        target_link_libraries(parallel PUBLIC MPI::MPI_C)
    endif()
endif()
